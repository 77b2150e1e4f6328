using AspireStreaming.StreamApi.Connections;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace AspireStreaming.StreamApi.Sse;

/// <summary>Opens SSE connections.</summary>
internal sealed class SseEndpoint(Subscriber subscriber, ConnectionRegistry registry, SubscriptionServices services)
{
    private const int RetryAfterSeconds = 5;

    /// <summary>Serves one client; returns when the connection is over.</summary>
    public async Task<IResult> ServeAsync(HttpContext context, SseRequest request)
    {
        var ended = false;
        var refusal = await subscriber.RunAsync(request.Subscription, Create, context.RequestAborted);
        return refusal switch
        {
            Refusal.Draining => Problems.Unavailable(context, "draining", "This replica is about to stop.", 1),
            Refusal.TooManyConnections => Problems.Unavailable(
                context, "too-many-connections", $"{registry.Max} connections are open.", RetryAfterSeconds),
            Refusal.TooManyStreams => Problems.Unavailable(
                context, "too-many-streams", "This replica follows as many streams as it may.", RetryAfterSeconds),
            _ => ended ? TypedResults.NoContent() : TypedResults.Empty,
        };

        SseConnection? Create(StreamFollower follower)
        {
            if (follower.StartsAtEnd)
            {
                // EventSource takes it as the end and does not come back.
                ended = true;
                return null;
            }

            context.Response.ContentType = "text/event-stream";
            context.Response.Headers.CacheControl = "no-cache, no-transform";
            context.Response.Headers["X-Accel-Buffering"] = "no";
            context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
            if (context.Features.Get<IHttpMinResponseDataRateFeature>() is { } rate)
            {
                // Kestrel would cut a stalled reader after seconds; our own write timeout decides.
                rate.MinDataRate = null;
            }

            return new SseConnection(context, follower, request.Named, services);
        }
    }
}
