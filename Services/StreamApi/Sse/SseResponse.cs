using System.IO.Pipelines;
using AspireStreaming.StreamApi.Compression;
using AspireStreaming.StreamApi.Connections;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Net.Http.Headers;

namespace AspireStreaming.StreamApi.Sse;

/// <summary>What every SSE response needs.</summary>
internal static class SseResponse
{
    private static readonly RouteValueDictionary NoValues = [];

    /// <summary>What browsers send most of; to ask for the names of what was sent would cost more than it saves.</summary>
    private static readonly string[] Forgotten =
    [
        HeaderNames.Accept,
        HeaderNames.AcceptEncoding,
        HeaderNames.AcceptLanguage,
        HeaderNames.Authorization,
        HeaderNames.CacheControl,
        HeaderNames.Cookie,
        HeaderNames.Origin,
        HeaderNames.Pragma,
        HeaderNames.Referer,
        HeaderNames.UserAgent,
    ];

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

    /// <summary>Lets go of what was needed to judge the request: the server keeps it until the response is over.</summary>
    public static void ForgetRequest(HttpContext context)
    {
        context.Request.RouteValues = NoValues;
        foreach (var name in Forgotten)
        {
            context.Request.Headers.Remove(name);
        }
    }

    /// <summary>Ends an answer and gives back what its client had.</summary>
    public static void Close(CompressedBody? compressed, Subscribed subscribed)
    {
        try
        {
            compressed?.Finish();
        }
        finally
        {
            compressed?.Dispose();
            subscribed.Dispose();
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
