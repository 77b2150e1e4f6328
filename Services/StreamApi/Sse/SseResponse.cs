using System.IO.Pipelines;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace AspireStreaming.StreamApi.Sse;

/// <summary>What every SSE response needs.</summary>
internal static class SseResponse
{
    /// <summary>Prepares the answer's head.</summary>
    public static void Prepare(HttpContext context)
    {
        context.Response.ContentType = "text/event-stream";
        context.Response.Headers.CacheControl = "no-cache, no-transform";
        context.Response.Headers["X-Accel-Buffering"] = "no";
        context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
        if (context.Features.Get<IHttpMinResponseDataRateFeature>() is { } rate)
        {
            // Kestrel would cut a stalled reader after seconds; our own write timeout decides.
            rate.MinDataRate = null;
        }
    }

    /// <summary>Sends what was written.</summary>
    /// <returns>False when the client is gone.</returns>
    public static async ValueTask<bool> FlushAsync(PipeWriter body)
    {
        try
        {
            var result = await body.FlushAsync(CancellationToken.None);
            return !result.IsCompleted && !result.IsCanceled;
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException or ObjectDisposedException)
        {
            return false;
        }
    }
}
