using AspireStreaming.Archive;
using AspireStreaming.Archive.Writing;
using AspireStreaming.Streaming;
using AspireStreaming.Streaming.Redis;
using Microsoft.Extensions.Options;
using Npgsql;

namespace AspireStreaming.EventArchiver.Archiving;

/// <summary>
/// Owns everything that runs: the schema first, then leases, lanes, upkeep and measurement, until the host stops. Then: no new batch,
/// those in hand are committed within the deadline, the partitions are released.
/// </summary>
internal sealed class ArchiverWorker(
    ArchiveSchema schema,
    NpgsqlDataSource dataSource,
    DayPartitions days,
    PartitionLeases leases,
    OwnedPartitions owned,
    HotLogReader reader,
    HotLogTrimmer trimmer,
    PartitionFence fence,
    LeaseKeeper keeper,
    ArchiveUpkeep upkeep,
    BacklogWatch backlog,
    ArchiverMetrics metrics,
    RedisGate redisGate,
    IOptions<ArchiverOptions> options,
    TimeProvider time,
    ILogger<ArchiverWorker> logger) : BackgroundService
{
    private static readonly TimeSpan LeaveTimeout = TimeSpan.FromSeconds(2);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var settings = options.Value;
        if (!await MigrateAsync(stoppingToken))
        {
            return;
        }

        ArchiverLog.Started(logger, leases.Owner, settings.Lanes);
        using var hardStop = new CancellationTokenSource();
        using var deadline = stoppingToken.Register(() => hardStop.CancelAfter(settings.FlushTimeout));
        var lanes = Enumerable.Range(0, settings.Lanes).Select(CreateLane).ToList();
        var working = lanes.ConvertAll(lane => lane.RunAsync(stoppingToken, hardStop.Token));
        Task[] others = [keeper.RunAsync(stoppingToken), upkeep.RunAsync(stoppingToken), backlog.RunAsync(stoppingToken)];
        try
        {
            await Task.WhenAll(working);
        }
        catch (OperationCanceledException) when (hardStop.IsCancellationRequested)
        {
            ArchiverLog.FlushIncomplete(logger, settings.FlushTimeout.TotalSeconds);
        }

        await Task.WhenAll(others);
        foreach (var lane in lanes)
        {
            await lane.DisposeAsync();
        }

        await LeaveAsync();
    }

    private ArchiveLane CreateLane(int lane) => new(
        lane,
        owned,
        reader,
        trimmer,
        fence,
        leases,
        new ArchiveWriter(dataSource, days, leases.Owner, leases.Duration),
        schema,
        options.Value,
        metrics,
        redisGate,
        time,
        logger);

    private async Task<bool> MigrateAsync(CancellationToken stoppingToken)
    {
        var backoff = new Backoff();
        while (true)
        {
            try
            {
                await schema.MigrateAsync(stoppingToken);
                return true;
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return false;
            }
            catch (Exception exception)
            {
                var delay = backoff.Next();
                ArchiverLog.SchemaFailed(logger, delay.TotalSeconds, exception);
                try
                {
                    await Task.Delay(delay, time, stoppingToken);
                }
                catch (OperationCanceledException)
                {
                    return false;
                }
            }
        }
    }

    private async Task LeaveAsync()
    {
        using var limit = new CancellationTokenSource(LeaveTimeout, time);
        try
        {
            await leases.LeaveAsync(limit.Token);
            ArchiverLog.Stopped(logger, metrics.Archived);
        }
        catch (Exception exception) when (exception is NpgsqlException or OperationCanceledException or TimeoutException or InvalidOperationException)
        {
            // Others take over when the leases end.
            ArchiverLog.LeaseFailed(logger, exception);
        }
    }
}
