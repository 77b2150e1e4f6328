using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.PublisherApi.Healing;

/// <summary>What is kept of one partition, oldest first. Thread-safe.</summary>
internal sealed class RetainedPartition
{
    private readonly Lock _lock = new();
    private readonly Queue<Retained> _items = new();
    private readonly Dictionary<string, Mark> _marks = new(StringComparer.Ordinal);
    private StreamPosition _watermark;
    private long _lowestEpoch = long.MaxValue;
    private long _stagedEpoch;
    private List<Retained> _staged = [];
    private List<string> _stagedMarks = [];

    /// <summary>Whether nothing is kept.</summary>
    public bool IsEmpty
    {
        get
        {
            lock (_lock)
            {
                return _items.Count == 0 && _marks.Count == 0;
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
                return _items.TryPeek(out var oldest) ? oldest.Order : long.MaxValue;
            }
        }
    }

    /// <summary>Keeps one.</summary>
    /// <returns>False when it is archived already.</returns>
    public bool Add(Retained item)
    {
        lock (_lock)
        {
            if (IsArchived(item.LogId, _watermark))
            {
                return false;
            }

            _items.Enqueue(item);
            _lowestEpoch = Math.Min(_lowestEpoch, item.LogId.Epoch);
            return true;
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
            while (_items.TryPeek(out var oldest) && IsArchived(oldest.LogId, watermark))
            {
                _items.Dequeue();
                bytes += oldest.Bytes;
                events += oldest.Events.Count;
            }

            foreach (var (stream, mark) in _marks)
            {
                if (IsArchived(mark.LogId, watermark))
                {
                    _marks.Remove(stream);
                }
            }

            if (_items.Count == 0 && _marks.Count == 0)
            {
                _lowestEpoch = long.MaxValue;
            }

            return (bytes, events);
        }
    }

    /// <summary>Drops the oldest; of its stream the last acknowledged position stays.</summary>
    /// <param name="mayMark">Whether there is room for that.</param>
    /// <returns>What was dropped, and whether a position more is kept; null when there was nothing.</returns>
    public (Retained Item, bool Marked)? Evict(bool mayMark)
    {
        lock (_lock)
        {
            if (!_items.TryDequeue(out var item))
            {
                return null;
            }

            var known = _marks.TryGetValue(item.Stream, out var mark);
            if (item.IsDeletion)
            {
                return (item, false);
            }

            if ((known && item.Last > mark.Last) || (!known && mayMark))
            {
                _marks[item.Stream] = new Mark(item.Last, item.EndType, item.LogId);
            }

            return (item, !known && mayMark);
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
            return _items.Any(item => item.Covers(stream, position));
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
        lock (_lock)
        {
            _stagedEpoch = epoch;
            _staged = [.. _items.Where(item => item.LogId.Epoch < epoch)];
            var marks = _marks.Where(mark => mark.Value.LogId.Epoch < epoch).ToList();
            _stagedMarks = marks.ConvertAll(static mark => mark.Key);
            return (_staged, marks);
        }
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

            foreach (var item in _staged)
            {
                item.LogId = logEnd;
            }

            foreach (var stream in _stagedMarks)
            {
                if (_marks.TryGetValue(stream, out var mark) && mark.LogId.Epoch < epoch)
                {
                    _marks[stream] = mark with { LogId = logEnd };
                }
            }

            _staged = [];
            _stagedMarks = [];
            _stagedEpoch = 0;
            _lowestEpoch = _items.Select(static item => item.LogId.Epoch).Concat(_marks.Values.Select(static mark => mark.LogId.Epoch))
                .DefaultIfEmpty(long.MaxValue).Min();
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
