using AspireStreaming.Archive.Writing;
using Microsoft.Extensions.Options;

namespace AspireStreaming.EventArchiver.Archiving;

/// <summary>
/// Makes day partitions ahead of their day, drops those past their retention, and forgets what is noted beside events. Any replica may,
/// at any time.
/// </summary>
internal sealed class ArchiveUpkeep(
    DayPartitions days, ArchivePruning pruning, IOptions<ArchiverOptions> options, TimeProvider time, ILogger<ArchiveUpkeep> logger)
{
    /// <summary>Works until told to stop.</summary>
    public async Task RunAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.Value.UpkeepInterval, time);
        try
        {
            do
            {
                try
                {
                    await KeepAsync(stoppingToken);
                }
                catch (Exception exception) when (!stoppingToken.IsCancellationRequested)
                {
                    ArchiverLog.UpkeepFailed(logger, exception);
                }
            }
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException)
        {
            // The stop.
        }
    }

    /// <summary>One round.</summary>
    internal async Task KeepAsync(CancellationToken cancellationToken)
    {
        var today = DateOnly.FromDateTime(time.GetUtcNow().UtcDateTime);
        await days.EnsureAsync([.. Enumerable.Range(0, options.Value.DaysAhead + 1).Select(today.AddDays)], cancellationToken);
        if (options.Value.RetentionDays is { } kept)
        {
            var dropped = await days.DropBeforeAsync(today.AddDays(-kept), cancellationToken);
            if (dropped > 0)
            {
                ArchiverLog.DaysDropped(logger, dropped, kept);
            }

            await pruning.ForgetAliasesAsync(new DateTimeOffset(today.AddDays(-kept), TimeOnly.MinValue, TimeSpan.Zero), cancellationToken);
        }

        await pruning.ForgetDeletionsAsync(time.GetUtcNow().AddDays(-options.Value.DeletionMemoryDays), cancellationToken);
    }
}
