using AspireStreaming.StreamApi.Delivery;
using Microsoft.Extensions.Options;

namespace AspireStreaming.StreamApi.Connections;

/// <summary>
/// Watches the managed heap. Above its limit windows shrink to a few events, and nobody new is admitted until it is well below again.
/// </summary>
internal sealed class MemoryGuard(
    FeedRegistry feeds, WindowBudget budget, IOptions<AdmissionOptions> options, TimeProvider time, ILogger<MemoryGuard> logger)
    : BackgroundService
{
    private const double DefaultShare = 0.8;
    private const double RecoveryShare = 0.9;
    private static readonly TimeSpan CheckInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan CollectInterval = TimeSpan.FromSeconds(10);

    private readonly long _limit = options.Value.MemoryLimitBytes is > 0 and var limit
        ? limit
        : (long)(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes * DefaultShare);

    private bool _isExceeded;
    private long _collectedAt;

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

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(CheckInterval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                // As the last collection left it: what is garbage since then does not count.
                Check(GC.GetGCMemoryInfo(GCKind.Any).HeapSizeBytes);
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
