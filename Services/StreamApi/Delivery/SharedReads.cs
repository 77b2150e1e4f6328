using System.Collections.Concurrent;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Delivery;

/// <summary>
/// Reads of the slower tiers for one stream: readers at the same position share one, and it goes on until it succeeds, so that
/// readers stay connected while a store is away.
/// </summary>
internal sealed class SharedReads(string stream, FeedState state, FeedServices services, CancellationToken stop)
{
    private readonly ConcurrentDictionary<StreamPosition, Task<TierRead>> _running = new();
    private long _retries;

    /// <summary>How often a read was tried again.</summary>
    public long Retries => Interlocked.Read(ref _retries);

    /// <summary>What follows a cursor.</summary>
    public Task<TierRead> ReadAsync(StreamPosition cursor)
    {
        if (_running.TryGetValue(cursor, out var running))
        {
            return running;
        }

        var mine = new TaskCompletionSource<TierRead>(TaskCreationOptions.RunContinuationsAsynchronously);
        running = _running.GetOrAdd(cursor, mine.Task);
        if (running == mine.Task)
        {
            // It reports to its completion source, whatever happens.
            _ = CompleteAsync(cursor, mine);
        }

        return running;
    }

    private async Task CompleteAsync(StreamPosition cursor, TaskCompletionSource<TierRead> completion)
    {
        for (var failures = 0; ; failures++)
        {
            try
            {
                var read = await services.Tiers.ReadAsync(
                    stream, cursor, TierSet.All, state.WindowFirst, TierReader.BatchSize(state.AverageBytes), stop);
                if (cursor.IsZero && read is { Source: Tier.Log, Before: null, Events.Length: > 0 })
                {
                    state.ClaimStart();
                }

                services.Metrics.TierReads.Add(1, new KeyValuePair<string, object?>("tier", read.Source == Tier.Archive ? "archive" : "log"));
                _running.TryRemove(cursor, out _);
                completion.SetResult(read);
                return;
            }
            catch (Exception) when (stop.IsCancellationRequested)
            {
                _running.TryRemove(cursor, out _);
                completion.SetCanceled(stop);
                return;
            }
            catch (Exception exception)
            {
                // Which store is away is in the log once.
                if (failures == 0)
                {
                    StreamApiLog.ReadFailed(services.Logger, stream, cursor, exception);
                }

                Interlocked.Increment(ref _retries);
                await services.Retry.WaitAsync(exception, failures, stop);
            }
        }
    }
}
