using AspireStreaming.StreamApi.Delivery;
using Microsoft.Extensions.Options;

namespace AspireStreaming.StreamApi.Connections;

/// <summary>
/// Watches the managed heap. Above its limit windows shrink to a few events, and nobody new is admitted until it is well below again.
/// When many clients have come at once it gives back what their coming cost beyond what they keep.
/// </summary>
internal sealed class MemoryGuard(
    FeedRegistry feeds,
    ConnectionRegistry connections,
    WindowBudget budget,
    IOptions<AdmissionOptions> options,
    TimeProvider time,
    ILogger<MemoryGuard> logger)
    : BackgroundService
{
    private const double DefaultShare = 0.8;
    private const double RecoveryShare = 0.9;

    /// <summary>Fewer that come together are not worth a pause.</summary>
    private const int BurstConnections = 1_000;

    /// <summary>A burst is at least a fifth of all connections: their number bounds how often there is one.</summary>
    private const int BurstShare = 5;

    /// <summary>It is over when less than a hundredth of it came in the last second.</summary>
    private const int QuietShare = 100;

    private static readonly TimeSpan CheckInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan CollectInterval = TimeSpan.FromSeconds(10);

    private readonly long _limit = options.Value.MemoryLimitBytes is > 0 and var limit
        ? limit
        : (long)(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes * DefaultShare);

    private bool _isExceeded;
    private long _collectedAt;
    private int _settled;
    private int _before;

    /// <summary>Whether the process has more than it should.</summary>
    public bool IsExceeded => Volatile.Read(ref _isExceeded);

    /// <summary>Compares with the limit.</summary>
    /// <param name="heapBytes">Size of the managed heap.</param>
    internal void Check(long heapBytes)
    {
        if (!_isExceeded && heapBytes > _limit)
        {
            Volatile.Write(ref _isExceeded, true);
            budget.IsMemoryShort = true;
            StreamApiLog.MemoryExceeded(logger, heapBytes, _limit);
            foreach (var feed in feeds.Snapshot())
            {
                feed.Shrink();
            }
        }
        else if (_isExceeded && heapBytes < _limit * RecoveryShare)
        {
            Volatile.Write(ref _isExceeded, false);
            budget.IsMemoryShort = false;
            StreamApiLog.MemoryRecovered(logger, heapBytes, _limit);
        }
    }

    /// <summary>
    /// Whether many connections have come since it was last so, and hardly any come now. Asked once a second. The heap then holds
    /// about as much garbage of their coming as they keep, and nothing tells when a replica of idle connections collects it.
    /// </summary>
    /// <param name="count">Open connections.</param>
    internal bool IsBurstOver(int count)
    {
        var came = count - _before;
        _before = count;
        _settled = Math.Min(_settled, count);
        var grown = count - _settled;
        if (grown < BurstConnections || grown < count / BurstShare || came > grown / QuietShare)
        {
            return false;
        }

        _settled = count;
        return true;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(CheckInterval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                // As the last collection left it: what is garbage since then does not count.
                Check(GC.GetGCMemoryInfo(GCKind.Any).HeapSizeBytes);
                if (IsBurstOver(connections.Count))
                {
                    var started = time.GetTimestamp();
                    GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
                    StreamApiLog.Compacted(logger, connections.Count, time.GetElapsedTime(started).TotalMilliseconds);
                }

                if (_isExceeded && (_collectedAt == 0 || time.GetElapsedTime(_collectedAt) >= CollectInterval))
                {
                    // Without it nothing would tell that memory is free again on a replica that has little to do.
                    _collectedAt = time.GetTimestamp();
                    GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: false);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The host stops.
        }
    }
}
