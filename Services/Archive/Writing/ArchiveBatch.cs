using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;

namespace AspireStreaming.Archive.Writing;

/// <summary>What one transaction moves into the archive: consecutive entries of one or several partitions' archive logs.</summary>
/// <remarks>Belongs to one thread at a time; cleared and filled again for each transaction.</remarks>
internal sealed class ArchiveBatch
{
    private readonly HashSet<string> _deleted = new(StringComparer.Ordinal);
    private readonly PartitionAdvance?[] _advances = new PartitionAdvance?[StreamName.PartitionCount];

    /// <summary>The rows to insert.</summary>
    public CopyBuffer Rows { get; } = new();

    /// <summary>The event of each row.</summary>
    public List<BatchEvent> Events { get; } = [];

    /// <summary>How far each partition gets.</summary>
    public List<PartitionAdvance> Partitions { get; } = [];

    /// <summary>What the rows mean for their streams.</summary>
    public Dictionary<string, StreamTally> Streams { get; } = new(StringComparer.Ordinal);

    /// <summary>Streams to delete or mark once the rows are in.</summary>
    public List<StreamDeletion> Deletions { get; } = [];

    /// <summary>Events that are damaged and go straight to <c>dead_events</c>.</summary>
    public List<DeadEvent> Damaged { get; } = [];

    /// <summary>Events that were appended again after a fault of the hot log.</summary>
    public List<RepeatedEvent> Repeated { get; } = [];

    /// <summary>The days that the rows are of.</summary>
    public HashSet<DateOnly> Days { get; } = [];

    /// <summary>Whether some entry is at or below its partition's watermark: an old log came back, or a predecessor did not get to trim.</summary>
    public bool Replays { get; private set; }

    /// <summary>Whether there is nothing to commit.</summary>
    public bool IsEmpty => Partitions.Count == 0;

    /// <summary>When the oldest event was recorded, Unix milliseconds; <see cref="long.MaxValue"/> when there is none.</summary>
    public long OldestRecordedAt { get; private set; } = long.MaxValue;

    /// <summary>Adds the next entry of a partition.</summary>
    /// <param name="partition">Number, fence and watermark of the partition.</param>
    /// <param name="entry">The entry after the partition's last in this batch.</param>
    /// <returns>False when the entry has to wait for the next batch, because this one deletes its stream.</returns>
    public bool TryAdd(in PartitionLease partition, ArchiveLogEntry entry)
    {
        if (entry.Kind != ArchiveLogKind.Raise && _deleted.Contains(entry.Stream))
        {
            return false;
        }

        ref var advance = ref _advances[partition.Partition];
        if (advance is null)
        {
            advance = new PartitionAdvance(partition.Partition, partition.Fence, partition.Watermark);
            Partitions.Add(advance);
        }

        advance.Advance(entry.Id, entry.CountedBytes);
        Replays |= entry.Id <= partition.Watermark;
        switch (entry.Kind)
        {
            case ArchiveLogKind.Append:
                AddEvents(partition.Partition, entry);
                break;
            case ArchiveLogKind.Delete:
                _deleted.Add(entry.Stream);
                Deletions.Add(new StreamDeletion(entry.Stream, entry.Batch.First, entry.Batch.RecordedAt, entry.DeleteFromArchive));
                break;
            default:
                break;
        }

        return true;
    }

    /// <summary>Forgets everything.</summary>
    public void Clear()
    {
        Rows.Clear();
        Events.Clear();
        Partitions.Clear();
        Streams.Clear();
        Deletions.Clear();
        Damaged.Clear();
        Repeated.Clear();
        Days.Clear();
        _deleted.Clear();
        Array.Clear(_advances);
        Replays = false;
        OldestRecordedAt = long.MaxValue;
    }

    private void AddEvents(int partition, ArchiveLogEntry entry)
    {
        var batch = entry.Batch;
        if (!Streams.TryGetValue(entry.Stream, out var tally))
        {
            Streams.Add(entry.Stream, tally = new StreamTally(partition, batch.First));
        }

        var day = DateOnly.FromDateTime(DateTimeOffset.FromUnixTimeMilliseconds(batch.RecordedAt).UtcDateTime);
        Days.Add(day);
        OldestRecordedAt = Math.Min(OldestRecordedAt, batch.RecordedAt);
        var frames = batch.Frames;
        EventFrame frame = default;
        for (var index = 0; index < batch.Count; index++)
        {
            var position = batch.First with { Sequence = batch.First.Sequence + index };
            string? damage = null;
            try
            {
                if (!EventFrame.TryTake(ref frames, out frame))
                {
                    damage = $"Its entry {entry.Id} says {batch.Count} events and has {index}.";
                }
            }
            catch (InvalidDataException exception)
            {
                damage = exception.Message;
            }

            if (damage is not null)
            {
                // Where one frame ends the next begins: after a damaged one, nothing of the entry can be read.
                for (; index < batch.Count; index++, frames = default)
                {
                    position = batch.First with { Sequence = batch.First.Sequence + index };
                    Damaged.Add(new DeadEvent(
                        entry.Stream, position, batch.RecordedAt, null, EventFlags.None, DeadEvent.DamagedState, damage, frames));
                }

                tally.Add(position, batch.RecordedAt, day, EventFlags.None, default);
                return;
            }

            var stored = new StoredEvent(position, batch.RecordedAt, frame, index == 0 ? batch.Previous : null);
            Rows.Add(entry.Stream, stored);
            Events.Add(new BatchEvent(entry.Stream, stored));
            tally.Add(position, batch.RecordedAt, day, frame.Flags, frame);
            if (frame.FirstPosition() is { } first)
            {
                Repeated.Add(new RepeatedEvent(entry.Stream, position, first));
            }
        }
    }
}

/// <summary>An event of a batch.</summary>
internal readonly record struct BatchEvent(string Stream, StoredEvent Event);

/// <summary>An event that was appended again after a fault.</summary>
/// <param name="Stream">The stream.</param>
/// <param name="Position">Its position.</param>
/// <param name="First">The position that it had first.</param>
internal readonly record struct RepeatedEvent(string Stream, StreamPosition Position, StreamPosition First);

/// <summary>A stream that was deleted from the hot log.</summary>
/// <param name="Stream">The stream.</param>
/// <param name="Position">The last position it had.</param>
/// <param name="DeletedAt">When, Unix milliseconds.</param>
/// <param name="FromArchive">Whether the archive forgets it too.</param>
internal readonly record struct StreamDeletion(string Stream, StreamPosition Position, long DeletedAt, bool FromArchive);

/// <summary>An event that the archive cannot hold.</summary>
internal sealed record DeadEvent(
    string Stream,
    StreamPosition Position,
    long RecordedAt,
    string? Type,
    EventFlags Flags,
    string SqlState,
    string Reason,
    ReadOnlyMemory<byte> Frame)
{
    /// <summary>In place of a SQLSTATE where the frame itself cannot be read.</summary>
    public const string DamagedState = "frame";
}
