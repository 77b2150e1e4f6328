using AspireStreaming.Streaming.Redis;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireStreaming.EventArchiver.Archiving;

/// <summary>Measures, for the gauges, what waits in the archive logs of this replica's partitions, and how fast it goes.</summary>
internal sealed class BacklogWatch(
    IConnectionMultiplexer redis,
    HotLogReader reader,
    OwnedPartitions owned,
    ArchiverMetrics metrics,
    IOptions<HotLogOptions> options,
    TimeProvider time)
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    /// <summary>Works until told to stop.</summary>
    public async Task RunAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                metrics.MeasureRate();
                try
                {
                    await MeasureAsync(stoppingToken);
                }
                catch (Exception exception) when (exception is RedisException or TimeoutException or ObjectDisposedException)
                {
                    // The lanes report an absent Redis; the last numbers stand meanwhile.
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The stop.
        }
    }

    private async Task MeasureAsync(CancellationToken cancellationToken)
    {
        // Not what the lanes saw last: while PostgreSQL keeps them waiting they look at nothing, and that is when these numbers matter.
        var database = redis.GetDatabase();
        var partitions = owned.All;
        var entries = Task.WhenAll(partitions.Select(partition => reader.CountArchiveLogAsync(partition.Number, cancellationToken)));
        var bytes = Task.WhenAll(partitions.Select(partition => database.StringGetAsync(StreamKeys.ArchiveBytes(partition.Number))))
            .WaitAsync(options.Value.CommandTimeout, time, cancellationToken);
        await Task.WhenAll(entries, bytes);
        metrics.Backlog((await entries).Sum(), (await bytes).Sum(value => value.TryParse(out long number) ? number : 0));
    }
}
