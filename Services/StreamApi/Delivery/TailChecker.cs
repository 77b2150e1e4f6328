using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;
using AspireStreaming.Streaming.Redis.Link;

namespace AspireStreaming.StreamApi.Delivery;

/// <summary>
/// Finds what wakes have not told: every few seconds it compares each partition's archive log with what it was, and where it moved
/// the tails of the partition's streams. After a reconnect it looks at all of them at once, and when the connections were replaced it
/// subscribes to all of them anew. It also frees feeds without readers.
/// </summary>
internal sealed class TailChecker(
    FeedRegistry feeds,
    FeedServices services,
    PartitionFence fence,
    RedisLink link,
    StreamApiMetrics metrics,
    ILogger<TailChecker> logger) : BackgroundService
{
    private const int ConcurrentChecks = 64;

    /// <summary>For how long after a raise the archive may still take in what was read of the log before.</summary>
    private static readonly TimeSpan RaisePatience = TimeSpan.FromSeconds(10);

    private readonly long?[] _raisedAt = new long?[StreamName.PartitionCount];
    private readonly StreamPosition?[] _ends = new StreamPosition?[StreamName.PartitionCount];
    private TaskCompletionSource _hurry = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        await feeds.StopAllAsync().WaitAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        services.Gate.Restored += Hurry;
        link.Replaced += Resubscribe;
        services.Direct.Restored += Hurry;
        services.Direct.Moved += Resubscribe;
        try
        {
            var failures = 0;
            var all = false;
            while (!stoppingToken.IsCancellationRequested)
            {
                all |= failures == 0 && await PauseAsync(stoppingToken);
                try
                {
                    await feeds.SweepAsync();
                    await CheckAsync(all || failures > 0, stoppingToken);
                    services.Gate.Succeeded();
                    failures = 0;
                    all = false;
                }
                catch (Exception exception) when (!stoppingToken.IsCancellationRequested)
                {
                    if (failures == 0)
                    {
                        StreamApiLog.TailCheckFailed(logger, exception);
                    }

                    await services.Retry.WaitAsync(exception, failures++, stoppingToken);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The host stops.
        }
        finally
        {
            services.Gate.Restored -= Hurry;
            link.Replaced -= Resubscribe;
            services.Direct.Restored -= Hurry;
            services.Direct.Moved -= Resubscribe;
        }
    }

    private void Hurry() => Volatile.Read(ref _hurry).TrySetResult();

    private void Resubscribe()
    {
        foreach (var feed in feeds.Snapshot())
        {
            feed.Resubscribe();
        }
    }

    /// <summary>Waits for the next round.</summary>
    /// <returns>Whether a connection came back meanwhile.</returns>
    private async Task<bool> PauseAsync(CancellationToken cancellationToken)
    {
        // Replicas that started together do not ask together.
        var pause = services.Options.TailCheckInterval * (0.8 + (0.4 * Random.Shared.NextDouble()));
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var hurry = Volatile.Read(ref _hurry);
        await Task.WhenAny(hurry.Task, Task.Delay(pause, services.Time, end.Token));
        await end.CancelAsync();
        cancellationToken.ThrowIfCancellationRequested();
        if (!hurry.Task.IsCompleted)
        {
            return false;
        }

        Volatile.Write(ref _hurry, new(TaskCreationOptions.RunContinuationsAsynchronously));
        return true;
    }

    private async Task CheckAsync(bool all, CancellationToken cancellationToken)
    {
        foreach (var partitions in feeds.Snapshot().GroupBy(feed => feed.Partition).Chunk(ConcurrentChecks))
        {
            await Task.WhenAll(partitions.Select(followed => CheckAsync(followed.Key, [.. followed], all, cancellationToken)));
        }

        metrics.TailChecks.Add(1);
    }

    private async Task CheckAsync(int partition, StreamFeed[] partitionFeeds, bool all, CancellationToken cancellationToken)
    {
        var end = await services.Log.ReadArchiveLogEndAsync(partition, cancellationToken);
        if (!fence.Observe(partition, end.Epoch) || all)
        {
            // Redis may have lost data, and nobody publishes here to notice.
            await fence.CheckAsync(partition, cancellationToken);
        }

        if (_ends[partition] is { } known && known.Epoch != end.Epoch)
        {
            _raisedAt[partition] = services.Time.GetTimestamp();
        }

        var isRaised = _raisedAt[partition] is { } at && services.Time.GetElapsedTime(at) < RaisePatience;
        if (!all && !isRaised && _ends[partition] == end)
        {
            return;
        }

        foreach (var some in partitionFeeds.Chunk(ConcurrentChecks))
        {
            await Task.WhenAll(some.Select(feed => CheckAsync(feed, isRaised ? end.Epoch : 0, cancellationToken)));
        }

        _ends[partition] = end;
    }

    private async Task CheckAsync(StreamFeed feed, long raisedTo, CancellationToken cancellationToken)
    {
        var meta = await services.Log.ReadMetaAsync(feed.Stream, cancellationToken);
        feed.OnTailChecked(meta);
        if (meta is null ? raisedTo > 0 : !meta.Deleted && meta.PartitionEpoch < raisedTo)
        {
            feed.OnEpochRaised();
        }
    }
}
