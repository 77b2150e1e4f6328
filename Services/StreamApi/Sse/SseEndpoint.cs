using AspireStreaming.StreamApi.Compression;
using AspireStreaming.StreamApi.Connections;

namespace AspireStreaming.StreamApi.Sse;

/// <summary>Opens SSE connections.</summary>
internal sealed class SseEndpoint(Subscriber subscriber, SubscriptionServices services, ResponseCompressor compressor)
{
    /// <summary>Serves a client of one stream; returns when the connection is over.</summary>
    public Task ServeAsync(HttpContext context, SseRequest request) => ServeAsync(context, [request.Subscription], request.Named, null);

    /// <summary>Serves a client of several streams; returns when the connection is over.</summary>
    public Task ServeAsync(HttpContext context, MultiStreamRequest request) =>
        ServeAsync(context, request.Subscriptions, request.Named, request);

    // The state of this method is kept for each connection: it holds no more than it must.
    private async Task ServeAsync(
        HttpContext context, IReadOnlyList<SubscriptionRequest> requests, bool named, MultiStreamRequest? several)
    {
        if (subscriber.TryEnter(context, requests, context.RequestAborted, out var subscribed) is { } refusal)
        {
            await Problems.Refused(context, refusal).ExecuteAsync(context);
            return;
        }

        CompressedBody? compressed = null;
        try
        {
            await subscriber.StartsKnownAsync(subscribed!).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (Array.TrueForAll(subscribed!.Followers, follower => follower.StartsAtEnd))
            {
                // EventSource takes it as the end and does not come back.
                context.Response.StatusCode = StatusCodes.Status204NoContent;
                return;
            }

            SseResponse.Prepare(context);
            compressed = compressor.TryStartLive(context);
            await subscriber.RunAsync(several is null
                ? new SseConnection(context, subscribed.Followers[0], named, services)
                : new MultiStreamConnection(context, subscribed.Followers, several, services));
            compressed?.Finish();
        }
        finally
        {
            compressed?.Dispose();
            subscribed!.Dispose();
        }
    }
}
