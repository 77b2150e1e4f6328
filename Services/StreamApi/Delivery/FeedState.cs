using AspireStreaming.StreamApi.Statistics;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;

namespace AspireStreaming.StreamApi.Delivery;

/// <summary>What the tail check says of a feed.</summary>
internal enum TailVerdict
{
    /// <summary>It is up to date.</summary>
    Current,

    /// <summary>The log is ahead of it.</summary>
    Behind,

    /// <summary>The stream was deleted.</summary>
    Deleted,

    /// <summary>It started while the archive could not be asked.</summary>
    Unknown,
}

/// <summary>
/// What a feed knows of its stream: the window, what came too early for it, the end. All decisions here are position arithmetic;
/// nothing waits. Thread-safe.
/// </summary>
internal sealed class FeedState(StreamWindow window, WorkflowTally tally)
{
    private const int MaxEarlyBatches = 256;

    private readonly Lock _lock = new();
    private readonly SortedDictionary<StreamPosition, EncodedEvent[]> _early = [];
    private StreamEnd? _end;
    private StreamEnd? _deletion;
    private int _deletions;
    private long _averageBytes;
    private bool _isReady;
    private bool _isTailUnknown;

    /// <summary>Whether the tail is known.</summary>
    public bool IsReady => Volatile.Read(ref _isReady);

    /// <summary>How often the stream was deleted while it was followed.</summary>
    public int Deletions => Volatile.Read(ref _deletions);

    /// <summary>What an event weighs, about; 0 before the first.</summary>
    public long AverageBytes => Volatile.Read(ref _averageBytes);

    /// <summary>The last position known, and how the stream ended if it has.</summary>
    public (StreamPosition Last, StreamEnd? End) Tail
    {
        get
        {
            lock (_lock)
            {
                return (window.Last, _end);
            }
        }
    }

    /// <summary>What it holds: the window, and how many appends wait for those before them.</summary>
    public (int Events, long Bytes, int Early, EncodedEvent? Newest) Holdings
    {
        get
        {
            lock (_lock)
            {
                return (window.Count, window.Bytes, _early.Count, window.Newest);
            }
        }
    }

    /// <summary>The oldest event of the window; null when it is empty.</summary>
    public EncodedEvent? WindowFirst
    {
        get
        {
            lock (_lock)
            {
                return window.First;
            }
        }
    }

    /// <summary>Copies the events after a cursor from the window.</summary>
    /// <param name="cursor">What the reader has had.</param>
    /// <param name="into">Receives the events.</param>
    /// <param name="bytes">Most bytes, but at least one event.</param>
    /// <param name="deletionsSeen"><see cref="Deletions"/> when the reader came; an earlier one does not concern it.</param>
    /// <param name="count">Number of events copied.</param>
    /// <param name="end">At the tail: how the stream ended, if it has.</param>
    /// <param name="isAll">Whether nothing follows what was copied, and the stream goes on.</param>
    public WindowRead Read(
        StreamPosition cursor, Span<EncodedEvent?> into, long bytes, int deletionsSeen, out int count, out StreamEnd? end, out bool isAll)
    {
        lock (_lock)
        {
            var read = window.Read(cursor, into, bytes, out count);
            end = read == WindowRead.Found ? null
                : _deletion is not null && _deletions > deletionsSeen ? _deletion
                : _end;
            isAll = read == WindowRead.Found && _end is null && _deletion is null && into[count - 1]!.Position == window.Last;
            return read;
        }
    }

    /// <summary>Lets readers from the start into the window; the archive has nothing older.</summary>
    public void ClaimStart()
    {
        lock (_lock)
        {
            window.ClaimStart();
        }
    }

    /// <summary>Keeps the window's newest few events only; readers further back go to the slower tiers.</summary>
    public void Shrink()
    {
        lock (_lock)
        {
            window.Shrink();
        }
    }

    /// <summary>Gives the window's memory back.</summary>
    public void Release()
    {
        lock (_lock)
        {
            window.Reset(window.Last);
        }
    }

    /// <summary>Whether the window has all that follows a cursor.</summary>
    public bool IsInWindow(StreamPosition cursor)
    {
        lock (_lock)
        {
            return cursor >= window.Before;
        }
    }

    /// <summary>Whether the window has passed a position.</summary>
    public bool HasReached(StreamPosition position)
    {
        lock (_lock)
        {
            return _isReady && position <= window.Last;
        }
    }

    /// <summary>Takes the events of one append: into the window if they come next, aside if something before them is on its way.</summary>
    /// <returns>Whether events were appended, and whether the log must be read.</returns>
    public (bool Appended, bool NeedsRepair) Offer(EncodedEvent[] events)
    {
        lock (_lock)
        {
            var appended = false;
            var complete = false;
            if (_isReady)
            {
                appended = AppendLocked(events, out complete);
                appended |= TakeEarlyLocked();
            }

            if (!complete)
            {
                if (_early.Count >= MaxEarlyBatches)
                {
                    // They are in the log all the same.
                    _early.Clear();
                }

                _early[events[0].Position] = events;
            }

            return (appended, _isReady && _early.Count > 0);
        }
    }

    /// <summary>Appends what was read from the log behind a position, whatever it is: the log has nothing between.</summary>
    /// <param name="after">The window's end when the read began.</param>
    /// <param name="events">What was read; may be empty.</param>
    /// <param name="more">Whether the log has more.</param>
    /// <returns>Whether to read on.</returns>
    public bool Take(StreamPosition after, ReadOnlySpan<EncodedEvent> events, bool more)
    {
        lock (_lock)
        {
            if (window.Last != after)
            {
                // Wakes have filled the hole meanwhile.
                return true;
            }

            if (events.IsEmpty)
            {
                // What was put aside is not in the log: it has been wiped or trimmed since.
                _early.Clear();
                return false;
            }

            if (Continuity.Judge(after, events[0]) == Link.Hole)
            {
                // Readers that stand before the hole go to the slower tiers, which know or announce what is missing.
                window.Reset(Continuity.Before(events[0]));
            }

            PutLocked(events[0]);
            AppendLocked(events[1..], out var complete);
            TakeEarlyLocked();
            return more || !complete || _early.Count > 0;
        }
    }

    /// <summary>Takes what a look at the log and the archive told of the stream's end.</summary>
    /// <param name="newest">The newest events of the log, without holes.</param>
    /// <param name="tail">Where the stream ends.</param>
    /// <param name="isTailUnknown">Whether the archive could not be asked.</param>
    /// <returns>Whether the log must be read.</returns>
    public bool Learn(EncodedEvent[] newest, StreamTail tail, bool isTailUnknown)
    {
        lock (_lock)
        {
            _isTailUnknown = isTailUnknown;
            if (_isReady && window.Last >= tail.Last)
            {
                return false;
            }

            if (newest.Length == 0)
            {
                window.Reset(tail.Last);
            }
            else if (!_isReady)
            {
                window.Reset(Continuity.Before(newest[0]));
                foreach (var item in newest)
                {
                    PutLocked(item);
                }
            }

            if (tail.IsArchived && window.Last < tail.Last)
            {
                // The hot log has lost the end: readers go to the archive for it.
                window.Reset(tail.Last);
            }

            if (window.Last == tail.Last)
            {
                _end ??= tail.End;
            }

            Volatile.Write(ref _isReady, true);
            var isBehind = window.Last < tail.Last;
            TakeEarlyLocked();
            return isBehind || _early.Count > 0;
        }
    }

    /// <summary>Compares the tail with the hot log's meta.</summary>
    public TailVerdict Check(StreamMeta? meta)
    {
        lock (_lock)
        {
            if (!_isReady)
            {
                return TailVerdict.Current;
            }

            if (meta is { Deleted: true })
            {
                return TryDeleteLocked(meta.Last) ? TailVerdict.Deleted : TailVerdict.Current;
            }

            return meta is not null && meta.Last > window.Last ? TailVerdict.Behind
                : _isTailUnknown ? TailVerdict.Unknown
                : TailVerdict.Current;
        }
    }

    /// <summary>Forgets what was deleted; readers who were there learn of it at the tail.</summary>
    /// <returns>Whether this was news.</returns>
    public bool TryDelete(StreamPosition position)
    {
        lock (_lock)
        {
            return _isReady && TryDeleteLocked(position);
        }
    }

    private bool TryDeleteLocked(StreamPosition position)
    {
        if (_deletion is not null || window.Last.IsZero || position < window.Last)
        {
            return false;
        }

        _end = null;
        _deletion = new StreamEnd(StreamStates.DeletedType, window.Last);
        Volatile.Write(ref _deletions, _deletions + 1);
        window.Reset(window.Last);
        return true;
    }

    /// <summary>Appends those of the events that follow one another from the window's end; those it has already are passed over.</summary>
    private bool AppendLocked(ReadOnlySpan<EncodedEvent> events, out bool complete)
    {
        var appended = false;
        foreach (var item in events)
        {
            if (item.Position <= window.Last)
            {
                continue;
            }

            // Borders are the repair's matter: it asks the archive.
            if (Continuity.Judge(window.Last, item) != Link.Adjacent)
            {
                complete = false;
                return appended;
            }

            PutLocked(item);
            appended = true;
        }

        complete = true;
        return appended;
    }

    private void PutLocked(EncodedEvent item)
    {
        window.Append(item);
        Volatile.Write(ref _averageBytes, _averageBytes == 0 ? item.Size : ((_averageBytes * 15) + item.Size) / 16);
        _end = item.IsTerminal ? item.ToEnd() : null;
        if (_isReady && _end is not null)
        {
            tally.Add(_end.Type);
        }

        _deletion = null;
        _isTailUnknown = false;
    }

    private bool TakeEarlyLocked()
    {
        var appended = false;
        while (_early.Count > 0)
        {
            var (first, events) = _early.First();
            appended |= AppendLocked(events, out var complete);
            if (!complete)
            {
                break;
            }

            _early.Remove(first);
        }

        return appended;
    }
}
