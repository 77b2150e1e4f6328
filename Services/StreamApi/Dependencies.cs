using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.Streaming.Redis;

namespace AspireStreaming.StreamApi;

/// <summary>Turns the absence of Redis or the archive into 503, for requests that cannot wait for them.</summary>
internal static class Dependencies
{
    private const int RetryAfterSeconds = 2;

    /// <summary>Runs a handler.</summary>
    public static async Task<IResult> GuardAsync(HttpContext context, Func<Task<IResult>> handler)
    {
        try
        {
            return await handler();
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            return TypedResults.Empty;
        }
        catch (ArchiveUnavailableException)
        {
            return Problems.Unavailable(context, "archive-unavailable", "The archive cannot be reached.", RetryAfterSeconds);
        }
        catch (Exception exception) when (RedisFaults.Classify(exception) != FaultKind.Permanent)
        {
            return Problems.Unavailable(context, "redis-unavailable", "The hot log cannot be reached.", RetryAfterSeconds);
        }
    }
}
