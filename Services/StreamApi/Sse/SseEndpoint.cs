using AspireStreaming.ServiceDefaults.Health;
using AspireStreaming.StreamApi.Connections;
using AspireStreaming.StreamApi.Delivery;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace AspireStreaming.StreamApi.Sse;

/// <summary>Opens SSE connections.</summary>
internal sealed class SseEndpoint(
    FeedRegistry feeds,
    StartResolver starts,
    ConnectionRegistry registry,
    RedisGate gate,
    DrainState drain,
    StreamApiMetrics metrics,
    TimeProvider time,
    ILogger<SseEndpoint> logger)
{
    private const int RetryAfterSeconds = 5;

    /// <summary>How long the answer's head waits for what decides between 200 and 204.</summary>
    private static readonly TimeSpan HeadPatience = TimeSpan.FromSeconds(1);

    /// <summary>Serves one client; returns when the connection is over.</summary>
    public async Task<IResult> ServeAsync(HttpContext context, SseRequest request)
    {
        if (drain.IsDraining)
        {
            return Problems.Unavailable(context, "draining", "This replica is about to stop.", 1);
        }

        if (!registry.TryEnter())
        {
            return Problems.Unavailable(context, "too-many-connections", $"{registry.Max} connections are open.", RetryAfterSeconds);
        }

        try
        {
            var feed = feeds.TryAcquire(request.Stream);
            if (feed is null)
            {
                return Problems.Unavailable(context, "too-many-streams", "This replica follows as many streams as it may.", RetryAfterSeconds);
            }

            try
            {
                return await ServeAsync(context, request, feed);
            }
            finally
            {
                feeds.Release(feed);
            }
        }
        finally
        {
            registry.Leave();
        }
    }

    private async Task<IResult> ServeAsync(HttpContext context, SseRequest request, StreamFeed feed)
    {
        var resolving = ResolveAsync(feed, request.From, context.RequestAborted);
        if (!resolving.IsCompleted)
        {
            await ((Task)resolving.WaitAsync(HeadPatience, time, context.RequestAborted)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        if (resolving.IsCompletedSuccessfully)
        {
            var start = await resolving;
            if (start.Tail.End is not null && start.Position >= start.Tail.Last)
            {
                return TypedResults.NoContent();
            }
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

        var connection = new SseConnection(context, request, feed, resolving, registry, metrics, time);
        registry.Add(connection);
        StreamApiLog.ConnectionOpened(logger, connection.Id, request.Stream, connection.Position);
        var reason = "aborted";
        try
        {
            reason = await connection.RunAsync();
        }
        catch (OperationCanceledException)
        {
            // The client left, or the service stops, in the middle of a read.
        }
        catch (Exception exception)
        {
            // The head is sent: all that is left is not to end it as if all were well.
            StreamApiLog.ConnectionFailed(logger, connection.Id, request.Stream, exception);
            context.Abort();
        }
        finally
        {
            registry.Remove(connection);
            StreamApiLog.ConnectionClosed(logger, connection.Id, request.Stream, connection.Position, reason);
        }

        return TypedResults.Empty;
    }

    /// <summary>
    /// Resolves the start, however long Redis stays away. The tail is asked for once more, so that a client who connects after a
    /// publish was answered is not called caught up before it has that event.
    /// </summary>
    private async Task<ResolvedStart> ResolveAsync(StreamFeed feed, StartFrom from, CancellationToken cancellationToken)
    {
        var followed = feed.IsReady;
        await feed.Ready.WaitAsync(cancellationToken);
        for (var failures = 0; ; failures++)
        {
            var (last, end) = feed.Tail;
            var isKnown = from.Kind == StartKind.Start || (from.Kind == StartKind.Position && from.Position <= last);
            if (isKnown && (!followed || failures > 0 || gate.IsFailing))
            {
                return new ResolvedStart(from.Position, null, new StreamTail(last, end, false));
            }

            try
            {
                var start = await starts.ResolveAsync(feed.Stream, from, TierSet.All, cancellationToken);
                if (start.Tail is { Deleted: false } tail && tail.Last > feed.Tail.Last)
                {
                    feed.Expect();
                }

                return start;
            }
            catch (Exception) when (!cancellationToken.IsCancellationRequested)
            {
                if (!isKnown)
                {
                    await gate.WaitAsync(failures, cancellationToken);
                }
            }
        }
    }
}
