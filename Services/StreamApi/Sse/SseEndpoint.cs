using AspireStreaming.StreamApi.Compression;
using AspireStreaming.StreamApi.Connections;

namespace AspireStreaming.StreamApi.Sse;

/// <summary>Opens SSE connections.</summary>
internal sealed class SseEndpoint(Subscriber subscriber, SubscriptionServices services, ResponseCompressor compressor)
{
    /// <summary>Serves a client of one stream; returns when the connection is over.</summary>
    public Task<IResult> ServeAsync(HttpContext context, SseRequest request) =>
        ServeAsync(context, [request.Subscription], followers => new SseConnection(context, followers[0], request.Named, services));

    /// <summary>Serves a client of several streams; returns when the connection is over.</summary>
    public Task<IResult> ServeAsync(HttpContext context, MultiStreamRequest request) =>
        ServeAsync(context, request.Subscriptions, followers => new MultiStreamConnection(context, followers, request, services));

    private async Task<IResult> ServeAsync(
        HttpContext context, IReadOnlyList<SubscriptionRequest> requests, Func<StreamFollower[], DeliveryConnection> create)
    {
        var ended = false;
        CompressedBody? compressed = null;
        Refusal? refusal;
        try
        {
            refusal = await subscriber.RunAsync(context, requests, Create, context.RequestAborted);
            compressed?.Finish();
        }
        finally
        {
            compressed?.Dispose();
        }

        return refusal is not null ? Problems.Refused(context, refusal)
            : ended ? TypedResults.NoContent()
            : TypedResults.Empty;

        DeliveryConnection? Create(StreamFollower[] followers)
        {
            if (Array.TrueForAll(followers, follower => follower.StartsAtEnd))
            {
                // EventSource takes it as the end and does not come back.
                ended = true;
                return null;
            }

            SseResponse.Prepare(context);
            compressed = compressor.TryStartLive(context);
            return create(followers);
        }
    }
}
