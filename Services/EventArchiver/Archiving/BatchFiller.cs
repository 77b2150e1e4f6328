using AspireStreaming.Archive.Writing;
using AspireStreaming.Streaming.Redis;

namespace AspireStreaming.EventArchiver.Archiving;

/// <summary>Reads archive logs into a batch, in order and within the batch's bounds.</summary>
internal sealed class BatchFiller(ArchiveBatch batch, HotLogReader reader, ArchiverOptions options, TimeProvider time, ILogger logger)
{
    /// <summary>Whether entries were left behind for which the last batch had no room or no time.</summary>
    public bool More { get; private set; }

    private bool IsFull => batch.Events.Count >= options.MaxBatchEvents || batch.Rows.Length >= options.MaxBatchBytes;

    /// <summary>Clears the batch and fills it.</summary>
    /// <param name="ready">Partitions whose logs have entries.</param>
    /// <param name="stoppingToken">Fill no further; what is read is kept.</param>
    /// <param name="hardStop">Give up reading.</param>
    public async Task FillAsync(List<OwnedPartition> ready, CancellationToken stoppingToken, CancellationToken hardStop)
    {
        batch.Clear();
        More = false;
        var start = time.GetTimestamp();
        var open = new List<OwnedPartition>(ready);
        while (open.Count > 0 && !IsFull)
        {
            var reads = Plan(open);
            var answers = await Task.WhenAll(reads.ConvertAll(read => ReadAsync(read.Partition, read.Count, hardStop)));
            for (var index = 0; index < reads.Count; index++)
            {
                var (partition, count) = reads[index];
                if (!Add(partition, answers[index]) || answers[index].Length < count)
                {
                    open.Remove(partition);
                }
            }

            if (stoppingToken.IsCancellationRequested || time.GetElapsedTime(start) >= options.MaxBatchAge)
            {
                break;
            }
        }

        More |= IsFull || open.Count > 0;
    }

    /// <summary>Deals what is left of the batch's bounds out to the partitions, and stops where nothing is left.</summary>
    private List<(OwnedPartition Partition, int Count)> Plan(List<OwnedPartition> open)
    {
        double bytes = options.MaxBatchBytes - batch.Rows.Length;
        double events = options.MaxBatchEvents - batch.Events.Count;
        var reads = new List<(OwnedPartition, int)>(open.Count);
        for (var index = 0; index < open.Count && bytes > 0 && events > 0; index++)
        {
            var partition = open[index];
            var share = open.Count - index;
            var wanted = Math.Min(bytes / share / partition.EntryBytes, events / share / partition.EntryEvents);
            var count = (int)Math.Clamp(Math.Ceiling(wanted), 1, options.MaxEntriesPerRead);
            reads.Add((partition, count));
            bytes -= count * partition.EntryBytes;
            events -= count * partition.EntryEvents;
        }

        return reads;
    }

    private async Task<ArchiveLogEntry[]> ReadAsync(OwnedPartition partition, int count, CancellationToken cancellationToken)
    {
        try
        {
            return await reader.ReadArchiveLogAsync(partition.Number, partition.ReadThrough, count, cancellationToken);
        }
        catch (Exception exception) when (exception is InvalidDataException or FormatException)
        {
            // Written by a newer program, most likely. Passing over it would lose it, so the partition waits, and only this one.
            var delay = partition.Backoff.Next();
            partition.BlockedUntil = time.GetTimestamp() + (long)(delay.TotalSeconds * time.TimestampFrequency);
            ArchiverLog.EntryUnreadable(logger, partition.Number, delay.TotalSeconds, exception);
            return [];
        }
    }

    /// <summary>Adds what was read until the batch is full.</summary>
    /// <returns>False when the rest of the partition has to wait for the next batch.</returns>
    private bool Add(OwnedPartition partition, ArchiveLogEntry[] entries)
    {
        if (entries.Length == 0)
        {
            return true;
        }

        partition.Backoff.Reset();
        long bytes = 0;
        long events = 0;
        foreach (var entry in entries)
        {
            bytes += entry.CountedBytes;
            events += entry.Batch.Count;
        }

        partition.Learn(entries.Length, bytes, events);
        foreach (var entry in entries)
        {
            if (IsFull || !batch.TryAdd(partition.Lease, entry))
            {
                More = true;
                return false;
            }

            partition.ReadThrough = entry.Id;
        }

        return true;
    }
}
