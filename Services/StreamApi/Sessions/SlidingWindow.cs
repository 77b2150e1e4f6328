using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Sessions;

/// <summary>
/// What of a subscription was sent and not acknowledged. Events are counted in runs (what one step sent without a hole), so a
/// window costs as much as it had flushes, not events. Not thread-safe; the session's loop owns it.
/// </summary>
internal sealed class SlidingWindow
{
    private readonly Queue<Run> _runs = new();
    private readonly BottleneckEstimate? _estimate;
    private readonly int _fixed;
    private readonly int _shallow;
    private Run _newest;
    private Run _oldest;
    private bool _hasNewest;
    private bool _hasOldest;
    private long _delivered;
    private long _deliveredAt;
    private long _firstSentAt;
    private long _idleUntil = -1;

    private SlidingWindow(int size, BottleneckEstimate? estimate, int shallow)
    {
        _fixed = size;
        _estimate = estimate;
        _shallow = shallow;
    }

    /// <summary>Most events that may be unacknowledged; 0: no acknowledgements are waited for.</summary>
    public int Limit => _estimate?.Limit ?? _fixed;

    /// <summary>Whether the limit follows the client.</summary>
    public bool IsAdaptive => _estimate is not null;

    /// <summary>Whether acknowledgements are waited for.</summary>
    public bool IsCounting => _estimate is not null || _fixed > 0;

    /// <summary>Events sent and not acknowledged.</summary>
    public int InFlight { get; private set; }

    /// <summary>Events that may be sent now.</summary>
    public int Credit => IsCounting ? Math.Max(0, Limit - InFlight) : int.MaxValue;

    /// <summary>The last event sent; <c>0-0</c> before the first.</summary>
    public StreamPosition Sent { get; private set; }

    /// <summary>The last position acknowledged; <c>0-0</c> before the first.</summary>
    public StreamPosition Acknowledged { get; private set; }

    /// <summary>A window of a size that the client chose; 0: none.</summary>
    public static SlidingWindow Fixed(int size) => new(size, null, 0);

    /// <summary>A window that follows the client.</summary>
    /// <param name="options">Its bounds.</param>
    /// <param name="frequency">Ticks a second of the timestamps that it will be given.</param>
    public static SlidingWindow Adaptive(SessionOptions options, long frequency) =>
        new(0, new BottleneckEstimate(options, frequency), options.MinWindow);

    /// <summary>An event was sent.</summary>
    public void OnSent(StreamPosition position, long now)
    {
        Sent = position;
        if (!IsCounting)
        {
            return;
        }

        if (InFlight == 0)
        {
            _deliveredAt = now;
            _firstSentAt = now;
        }

        InFlight++;
        if (_hasNewest && _newest.IsFollowedBy(position, now))
        {
            _newest.Count++;
            _newest.IsShallow &= InFlight <= _shallow;
            return;
        }

        if (_hasNewest)
        {
            _runs.Enqueue(_newest);
        }

        _hasNewest = true;
        _newest = new Run
        {
            First = position,
            Count = 1,
            SentAt = now,
            Delivered = _delivered,
            DeliveredAt = _deliveredAt,
            FirstSentAt = _firstSentAt,
            IsIdle = _delivered <= _idleUntil,
            IsShallow = InFlight <= _shallow,
        };
    }

    /// <summary>There is room and nothing to send: what is measured of the events under way says nothing of the client's speed.</summary>
    public void OnIdle() => _idleUntil = _delivered + InFlight;

    /// <summary>Everything up to a position is acknowledged; beyond the last event sent it means that one.</summary>
    /// <returns>How many events that were.</returns>
    public int OnAcknowledged(StreamPosition position, long now)
    {
        if (position > Acknowledged)
        {
            Acknowledged = position < Sent ? position : Sent;
        }

        var count = 0;
        Run last = default;
        while (TryPeek(out var run) && run.First <= position)
        {
            var covered = run.CountUpTo(position);
            last = run;
            count += covered;
            if (covered < run.Count)
            {
                _oldest.First = _oldest.First with { Sequence = _oldest.First.Sequence + covered };
                _oldest.Count -= covered;
                break;
            }

            _hasOldest = false;
        }

        if (count > 0)
        {
            InFlight -= count;
            _delivered += count;
            _deliveredAt = now;
            _firstSentAt = last.SentAt;

            // The slower of sending and acknowledging: acknowledgements that were held up and come all at once are no speed.
            var interval = Math.Max(last.SentAt - last.FirstSentAt, now - last.DeliveredAt);
            _estimate?.Acknowledged(now, now - last.SentAt, _delivered - last.Delivered, interval, last.IsIdle, last.IsShallow);
        }

        return count;
    }

    private bool TryPeek(out Run run)
    {
        if (!_hasOldest)
        {
            if (_runs.TryDequeue(out _oldest))
            {
                _hasOldest = true;
            }
            else if (_hasNewest)
            {
                _oldest = _newest;
                _hasNewest = false;
                _hasOldest = true;
            }
        }

        run = _oldest;
        return _hasOldest;
    }

    private struct Run
    {
        public StreamPosition First;
        public int Count;
        public long SentAt;
        public long Delivered;
        public long DeliveredAt;
        public long FirstSentAt;
        public bool IsIdle;
        public bool IsShallow;

        public readonly bool IsFollowedBy(StreamPosition position, long now) =>
            now == SentAt && position.Epoch == First.Epoch && position.Sequence == First.Sequence + Count;

        public readonly int CountUpTo(StreamPosition position) =>
            position.Epoch > First.Epoch ? Count : (int)Math.Min(Count, position.Sequence - First.Sequence + 1);
    }
}
