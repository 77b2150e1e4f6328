using AspireStreaming.StreamApi.Connections;

namespace AspireStreaming.StreamApi.Sse;

/// <summary>Opens SSE connections.</summary>
internal sealed class SseEndpoint(Subscriber subscriber, ConnectionRegistry registry, SubscriptionServices services)
{
    private const int RetryAfterSeconds = 5;

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
        var refusal = await subscriber.RunAsync(requests, Create, context.RequestAborted);
        return refusal switch
        {
            Refusal.Draining => Problems.Unavailable(context, "draining", "This replica is about to stop.", 1),
            Refusal.TooManyConnections => Problems.Unavailable(
                context, "too-many-connections", $"{registry.Max} connections are open.", RetryAfterSeconds),
            Refusal.TooManyStreams => Problems.Unavailable(
                context, "too-many-streams", "This replica follows as many streams as it may.", RetryAfterSeconds),
            _ => ended ? TypedResults.NoContent() : TypedResults.Empty,
        };

        DeliveryConnection? Create(StreamFollower[] followers)
        {
            if (Array.TrueForAll(followers, follower => follower.StartsAtEnd))
            {
                // EventSource takes it as the end and does not come back.
                ended = true;
                return null;
            }

            SseResponse.Prepare(context);
            return create(followers);
        }
    }
}
