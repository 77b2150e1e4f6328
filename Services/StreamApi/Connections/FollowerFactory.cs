using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.Streaming.Redis;

namespace AspireStreaming.StreamApi.Connections;

/// <summary>Makes followers: finds a stream's feed and resolves where to start.</summary>
internal sealed class FollowerFactory(
    FeedRegistry feeds, StartResolver starts, RedisGate gate, StoreRetry retry, SubscriptionServices services)
{
    /// <summary>Begins to resolve a follower's start.</summary>
    /// <param name="request">What the client wants.</param>
    /// <param name="cancellationToken">Ends resolving; a step then throws <see cref="OperationCanceledException"/>.</param>
    /// <returns>The follower, which the caller disposes of; null when this replica follows as many streams as it may.</returns>
    public StreamFollower? TryCreate(SubscriptionRequest request, CancellationToken cancellationToken)
    {
        var feed = feeds.TryAcquire(request.Stream);
        return feed is null
            ? null
            : new StreamFollower(feed.Share(request), feed, ResolveAsync(feed, request.From, cancellationToken), feeds, services);
    }

    /// <summary>
    /// Resolves the start, however long Redis stays away. The tail is asked for once more, so that a client who connects after a
    /// publish was answered is not called caught up before it has that event.
    /// </summary>
    private async Task<ResolvedStart> ResolveAsync(StreamFeed feed, StartFrom from, CancellationToken cancellationToken)
    {
        var followed = feed.IsReady;
        if (!followed)
        {
            await feed.Ready.WaitAsync(cancellationToken);
        }

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
                if (!isKnown)
                {
                    var start = await starts.ResolveAsync(feed.Stream, from, TierSet.All, cancellationToken);
                    ExpectIfBehind(feed, start.Tail);
                    return start;
                }

                // Appends are in the hot log; what the archive has the feed knows since it began. The log may also have lost what
                // this feed still has; then the feed knows better where the end is. Not for the client's leaving: one question is
                // soon answered, or fails, and what waits for both stays behind with each client.
                var tail = await feed.ReadLogTailAsync();
                ExpectIfBehind(feed, tail);
                return new ResolvedStart(from.Position, null, tail.Deleted || tail.Last >= last ? tail : new StreamTail(last, end, false));
            }
            catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
            {
                if (!isKnown)
                {
                    await retry.WaitAsync(exception, failures, cancellationToken);
                    cancellationToken.ThrowIfCancellationRequested();
                }
            }
        }
    }

    private static void ExpectIfBehind(StreamFeed feed, StreamTail tail)
    {
        if (!tail.Deleted && tail.Last > feed.Tail.Last)
        {
            feed.Expect();
        }
    }
}
