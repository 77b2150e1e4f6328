using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.PublisherApi.Healing;

/// <summary>What is kept of one partition, oldest first. Thread-safe.</summary>
/// <param name="chunks">Where.</param>
internal sealed class RetainedPartition(RetainedChunks chunks)
{
    /// <summary>Entries that are read for staging before others may have the lock.</summary>
    private const int ReadAtOnce = 128;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Mark> _marks = new(StringComparer.Ordinal);
    private RetainedEntry[] _ring = new RetainedEntry[16];
    private RetainedChunk? _filling;
    private long _removed;
    private int _count;
    private StreamPosition _watermark;
    private long _lowestEpoch = long.MaxValue;
    private long _stagedEpoch;
    private long _stagedEnd;
    private List<string> _stagedMarks = [];

    /// <summary>Whether nothing is kept.</summary>
    public bool IsEmpty
    {
        get
        {
            lock (_lock)
            {
                return _count == 0 && _marks.Count == 0;
            }
        }
    }

    /// <summary>Order of the oldest; <see cref="long.MaxValue"/> when there is none.</summary>
    public long OldestOrder
    {
        get
        {
            lock (_lock)
            {
                return _count > 0 ? Oldest.Order : long.MaxValue;
            }
        }
    }

    private ref RetainedEntry Oldest => ref At(_removed);

    /// <summary>Keeps an append, or a deletion, which has no events.</summary>
    /// <param name="append">What was appended, and where.</param>
    /// <param name="order">Grows with each that is kept, over all partitions.</param>
    /// <returns>Its bytes; 0 when it is archived already.</returns>
    public long Add(in Acknowledged append, long order)
    {
        var length = RetainedRecord.Measure(append.Stream, append.Events);
        lock (_lock)
        {
            if (IsArchived(append.LogId, _watermark))
            {
                return 0;
            }

            var chunk = Room(length);
            var entry = new RetainedEntry
            {
                Chunk = chunk,
                Offset = chunk.Used,
                Length = length,
                Events = append.Events.Count,
                Deletion = append.Deletion,
                First = append.First,
                Order = order,
                LogId = append.LogId,
            };
            RetainedRecord.Write(chunk.Bytes.AsSpan(chunk.Used, length), append.Stream, append.RecordedAt, append.Previous, append.Events);
            chunk.Used += length;
            chunk.Live++;
            if (_count == _ring.Length)
            {
                Grow();
            }

            At(_removed + _count) = entry;
            _count++;
            _lowestEpoch = Math.Min(_lowestEpoch, append.LogId.Epoch);
            return entry.Bytes;
        }
    }

    /// <summary>Lets go of what the archive has.</summary>
    /// <returns>Bytes and events let go.</returns>
    public (long Bytes, long Events) Release(StreamPosition watermark)
    {
        lock (_lock)
        {
            // What was read of a log that is lost by now may be committed after its successor's first entries.
            _watermark = watermark > _watermark ? watermark : _watermark;

            var bytes = 0L;
            var events = 0L;
            while (_count > 0 && IsArchived(Oldest.LogId, watermark))
            {
                bytes += Oldest.Bytes;
                events += Oldest.Events;
                RemoveOldest();
            }

            foreach (var (stream, mark) in _marks)
            {
                if (IsArchived(mark.LogId, watermark))
                {
                    _marks.Remove(stream);
                }
            }

            if (_count == 0 && _marks.Count == 0)
            {
                _lowestEpoch = long.MaxValue;
            }

            return (bytes, events);
        }
    }

    /// <summary>Drops the oldest; of its stream the last acknowledged position stays.</summary>
    /// <param name="mayMark">Whether there is room for that.</param>
    /// <returns>Bytes and events dropped, and whether a position more is kept; null when there was nothing.</returns>
    public (long Bytes, int Events, bool Marked)? Evict(bool mayMark)
    {
        lock (_lock)
        {
            if (_count == 0)
            {
                return null;
            }

            var entry = Oldest;
            if (entry.Deletion != RetainedDeletion.None)
            {
                RemoveOldest();
                return (entry.Bytes, entry.Events, false);
            }

            var (stream, endType) = RetainedRecord.ReadHead(entry.Record);
            RemoveOldest();
            var known = _marks.TryGetValue(stream, out var mark);
            if ((known && entry.Last > mark.Last) || (!known && mayMark))
            {
                _marks[stream] = new Mark(entry.Last, endType, entry.LogId);
            }

            return (entry.Bytes, entry.Events, !known && mayMark);
        }
    }

    public int MarkCount
    {
        get
        {
            lock (_lock)
            {
                return _marks.Count;
            }
        }
    }

    /// <summary>Whether an event is kept.</summary>
    public bool Holds(string stream, StreamPosition position)
    {
        lock (_lock)
        {
            for (var number = _removed; number < _removed + _count; number++)
            {
                if (At(number).Covers(stream, position))
                {
                    return true;
                }
            }

            return false;
        }
    }

    /// <summary>Whether something is kept of which it is not known that Redis has it in an epoch.</summary>
    public bool HasBefore(long epoch)
    {
        lock (_lock)
        {
            return _lowestEpoch < epoch;
        }
    }

    /// <summary>Takes down what is to be staged for an epoch; <see cref="Confirm"/> speaks of that.</summary>
    public (List<Retained> Items, List<KeyValuePair<string, Mark>> Marks) Snapshot(long epoch)
    {
        List<KeyValuePair<string, Mark>> marks;
        long next;
        long end;
        lock (_lock)
        {
            _stagedEpoch = epoch;
            next = _removed;
            _stagedEnd = end = _removed + _count;
            marks = _marks.Where(mark => mark.Value.LogId.Epoch < epoch).ToList();
            _stagedMarks = marks.ConvertAll(static mark => mark.Key);
        }

        // What is let go of meanwhile is archived, or leaves a position behind, which makes this partition heal once more.
        var items = new List<Retained>();
        while (next < end)
        {
            lock (_lock)
            {
                next = Math.Max(next, _removed);
                for (var last = Math.Min(end, next + ReadAtOnce); next < last; next++)
                {
                    ref var entry = ref At(next);
                    if (entry.LogId.Epoch < epoch)
                    {
                        items.Add(RetainedRecord.Read(entry.Record, entry));
                    }
                }
            }
        }

        return (items, marks);
    }

    /// <summary>Redis has what was taken down for an epoch, at or before an ID of its archive log.</summary>
    public void Confirm(long epoch, StreamPosition logEnd)
    {
        lock (_lock)
        {
            if (_stagedEpoch != epoch)
            {
                return;
            }

            for (var number = _removed; number < _stagedEnd; number++)
            {
                ref var entry = ref At(number);
                if (entry.LogId.Epoch < epoch)
                {
                    entry.LogId = logEnd;
                }
            }

            foreach (var stream in _stagedMarks)
            {
                if (_marks.TryGetValue(stream, out var mark) && mark.LogId.Epoch < epoch)
                {
                    _marks[stream] = mark with { LogId = logEnd };
                }
            }

            _stagedMarks = [];
            _stagedEpoch = 0;
            _lowestEpoch = _marks.Values.Select(static mark => mark.LogId.Epoch).DefaultIfEmpty(long.MaxValue).Min();
            for (var number = _removed; number < _removed + _count; number++)
            {
                _lowestEpoch = Math.Min(_lowestEpoch, At(number).LogId.Epoch);
            }
        }
    }

    /// <summary>The entry that was added as this one, from 0.</summary>
    private ref RetainedEntry At(long number) => ref _ring[number & (_ring.Length - 1)];

    private void Grow()
    {
        var larger = new RetainedEntry[2 * _ring.Length];
        for (var number = _removed; number < _removed + _count; number++)
        {
            larger[number & (larger.Length - 1)] = At(number);
        }

        _ring = larger;
    }

    /// <summary>A piece with room for so many bytes at its end.</summary>
    private RetainedChunk Room(int length)
    {
        if (_filling is { } filling && filling.Bytes.Length - filling.Used >= length)
        {
            return filling;
        }

        // A large one doesn't end a piece that has room for others.
        var chunk = chunks.Take(length);
        if (length <= RetainedChunks.ChunkBytes / 2)
        {
            if (_filling is { Live: 0 } empty)
            {
                chunks.Return(empty);
            }

            _filling = chunk;
        }

        return chunk;
    }

    private void RemoveOldest()
    {
        ref var oldest = ref Oldest;
        var chunk = oldest.Chunk;
        oldest = default;
        _removed++;
        _count--;
        if (--chunk.Live > 0)
        {
            return;
        }

        if (chunk == _filling)
        {
            chunk.Used = 0;
        }
        else
        {
            chunks.Return(chunk);
        }
    }

    /// <summary>
    /// A watermark of a later epoch says nothing: Redis may have lost the event before the archiver saw it. That is known once the
    /// event was looked for in that epoch.
    /// </summary>
    private static bool IsArchived(StreamPosition logId, StreamPosition watermark) => logId.Epoch == watermark.Epoch && logId <= watermark;
}

/// <summary>What stays of a stream whose events were dropped.</summary>
/// <param name="Last">Its last acknowledged position.</param>
/// <param name="EndType">The type of that event, if it ended the stream.</param>
/// <param name="LogId">Where the archive log has it, at the latest.</param>
internal readonly record struct Mark(StreamPosition Last, string? EndType, StreamPosition LogId);
