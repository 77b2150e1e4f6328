using AspireStreaming.ServiceDefaults.Health;
using AspireStreaming.StreamApi.Delivery;

namespace AspireStreaming.StreamApi.Connections;

/// <summary>Why a subscription was not opened.</summary>
internal enum Refusal
{
    /// <summary>The replica stops.</summary>
    Draining,

    /// <summary>Too many connections.</summary>
    TooManyConnections,

    /// <summary>Too many streams.</summary>
    TooManyStreams,
}

/// <summary>Opens subscriptions: finds them a place and a feed, resolves their start, runs them and cleans up.</summary>
internal sealed class Subscriber(
    FeedRegistry feeds,
    StartResolver starts,
    ConnectionRegistry registry,
    RedisGate gate,
    StoreRetry retry,
    DrainState drain,
    TimeProvider time,
    ILogger<Subscriber> logger)
{
    /// <summary>How long the answer's head waits for what the stream's end decides about it.</summary>
    private static readonly TimeSpan HeadPatience = TimeSpan.FromSeconds(1);

    /// <summary>Runs a subscription.</summary>
    /// <param name="request">What the client wants.</param>
    /// <param name="create">
    /// Makes the subscription from its feed and the start that is being resolved; null when there is nothing to subscribe to.
    /// </param>
    /// <param name="requestAborted">Cancelled when the client leaves.</param>
    /// <returns>Why there was none; null when there was.</returns>
    public async Task<Refusal?> RunAsync(
        SubscriptionRequest request, Func<StreamFeed, Task<ResolvedStart>, Subscription?> create, CancellationToken requestAborted)
    {
        if (drain.IsDraining)
        {
            return Refusal.Draining;
        }

        if (!registry.TryEnter())
        {
            return Refusal.TooManyConnections;
        }

        try
        {
            var feed = feeds.TryAcquire(request.Stream);
            if (feed is null)
            {
                return Refusal.TooManyStreams;
            }

            try
            {
                await RunAsync(request, feed, create, requestAborted);
                return null;
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

    private async Task RunAsync(
        SubscriptionRequest request,
        StreamFeed feed,
        Func<StreamFeed, Task<ResolvedStart>, Subscription?> create,
        CancellationToken requestAborted)
    {
        var resolving = ResolveAsync(feed, request.From, requestAborted);
        if (!resolving.IsCompleted)
        {
            await ((Task)resolving.WaitAsync(HeadPatience, time, requestAborted)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        var connection = create(feed, resolving);
        if (connection is null)
        {
            return;
        }

        registry.Add(connection);
        StreamApiLog.ConnectionOpened(logger, connection.Id, request.Stream, request.From.Position);
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
            connection.Abort();
        }
        finally
        {
            registry.Remove(connection);
            StreamApiLog.ConnectionClosed(logger, connection.Id, request.Stream, connection.Position, reason);
        }
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

                // The log may have lost what this feed still has; then the feed knows better what is beyond the end.
                return isKnown ? new ResolvedStart(from.Position, null, start.Tail) : start;
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
}
