using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Connections;

/// <summary>
/// One subscriber of one stream: a loop that takes everything its cursor can have, writes it and flushes once. Whatever happens to
/// it (events, the end of a slow read, the heartbeat, a drain, the client's leaving) comes as its signal. A transport gives it the
/// form in which things are written.
/// </summary>
internal abstract class Subscription : LiveConnection
{
    /// <summary>Most events a pass.</summary>
    private const int BatchEvents = 256;

    /// <summary>Most bytes a pass: what a slow client must take within the write timeout.</summary>
    private const int BatchBytes = 64 << 10;

    private const int MinRetryMilliseconds = 1_000;
    private const int MaxRetryMilliseconds = 5_000;

    [ThreadStatic]
    private static EncodedEvent?[]? _batch;

    private readonly SubscriptionRequest _request;
    private readonly StreamFeed _feed;
    private readonly StreamCursor _cursor;
    private readonly SubscriptionServices _services;
    private readonly Action _wake;
    private readonly CancellationToken _aborted;
    private Task<ResolvedStart>? _resolving;
    private Task<TierRead>? _reading;
    private StreamPosition _tailAtStart;
    private bool _startUntold;
    private StreamPosition? _dropUntil;
    private StreamPosition _droppedFrom;
    private StreamPosition _droppedTo;
    private long _dropped;

    protected Subscription(
        string transport,
        HttpContext context,
        SubscriptionRequest request,
        StreamFeed feed,
        Task<ResolvedStart> resolving,
        SubscriptionServices services)
        : base(
            transport,
            request.Stream,
            context.Connection.RemoteIpAddress?.ToString(),
            context.Request.Headers.UserAgent,
            services.Time.GetUtcNow())
    {
        _request = request;
        _feed = feed;
        _cursor = new StreamCursor(feed);
        _resolving = resolving;
        _services = services;
        _wake = Signal.Set;
        _aborted = context.RequestAborted;
    }

    private enum State
    {
        /// <summary>There may be more to do.</summary>
        Busy,

        /// <summary>Nothing to do until the signal.</summary>
        Idle,

        /// <summary>Further behind than its policy allows.</summary>
        Lagging,

        /// <summary>The stream has ended.</summary>
        Ended,
    }

    public override StreamPosition Position => _cursor.Position;

    public override long Lag => _cursor.Lag;

    public override Tier Tier => _cursor.Tier;

    /// <summary>Bytes written since the last flush.</summary>
    protected abstract long Pending { get; }

    /// <summary>A moment at which a client should come back; everybody gets one of its own.</summary>
    protected static int NextRetryMilliseconds() => Random.Shared.Next(MinRetryMilliseconds, MaxRetryMilliseconds + 1);

    /// <summary>Serves the client until it leaves, the stream ends or the service drains.</summary>
    /// <returns>Why it ended.</returns>
    public async Task<string> RunAsync()
    {
        await using var abort = _aborted.UnsafeRegister(static state => ((DeliverySignal)state!).Set(), Signal);
        _feed.Join(Signal);
        try
        {
            Open();
            while (true)
            {
                if (Pending > 0 && !await FlushAsync())
                {
                    return "client left";
                }

                if (_aborted.IsCancellationRequested)
                {
                    return "client left";
                }

                if (DrainReason is { } reason)
                {
                    TryWriteOwedPosition();
                    WriteDrain(NextRetryMilliseconds(), reason);
                    await FlushAsync();
                    return reason;
                }

                var state = Step();
                if (state == State.Ended)
                {
                    await FlushAsync();
                    return "stream ended";
                }

                if (state == State.Lagging)
                {
                    Drain(DrainReasons.Lag);
                }
                else if (state == State.Idle && Pending == 0)
                {
                    await Signal.WaitAsync();
                }
            }
        }
        finally
        {
            _feed.Leave(Signal);
        }
    }

    /// <summary>Writes what comes first; the cursor's start is known or not.</summary>
    /// <param name="position">The start, if it is known.</param>
    protected abstract void WriteOpening(StreamPosition? position);

    /// <summary>Writes an event.</summary>
    protected abstract void WriteEvent(EncodedEvent item);

    /// <summary>Writes a control event.</summary>
    protected abstract void WriteControl(ControlEvent control);

    /// <summary>Tells the client where its cursor stands.</summary>
    protected abstract void WritePosition(StreamPosition position);

    /// <summary>Writes a sign of life.</summary>
    protected abstract void WriteHeartbeat();

    /// <summary>Writes that the client should come back later.</summary>
    protected abstract void WriteDrain(int retryMilliseconds, string reason);

    /// <summary>Sends what was written.</summary>
    /// <returns>False when the client is gone.</returns>
    protected abstract ValueTask<bool> FlushPendingAsync();

    private async ValueTask<bool> FlushAsync()
    {
        BeginWrite(_services.Registry.Now);
        Bytes += Pending;
        var open = await FlushPendingAsync();
        EndWrite(_services.Registry.Now);
        return open;
    }

    private void Open()
    {
        // A start that the client named itself needs no answer from anybody; and one beyond the end is told as it was given, so that
        // a client that goes away before it hears of the gap hears of it when it comes back.
        if (_request.From.Kind is StartKind.Position or StartKind.Start)
        {
            _cursor.MoveTo(_request.From.Position);
            WriteOpening(_cursor.Position);
        }
        else if (_resolving is { IsCompletedSuccessfully: true })
        {
            _cursor.MoveTo(_resolving.GetAwaiter().GetResult().Position);
            WriteOpening(_cursor.Position);
        }
        else
        {
            WriteOpening(null);
            _startUntold = true;
        }

        if (_resolving is { IsCompleted: false })
        {
            _resolving.GetAwaiter().UnsafeOnCompleted(_wake);
        }
    }

    private void Begin(ResolvedStart start)
    {
        _cursor.MoveTo(start.Position);
        _tailAtStart = start.Tail.Deleted ? StreamPosition.Zero : start.Tail.Last;
        if (start.Gap is { } gap)
        {
            WriteDiscontinuity(new Discontinuity(gap, null));
            _startUntold = true;
        }

        if (_startUntold)
        {
            OwePosition(_services.Registry.Now);
            TryWriteOwedPosition();
        }
    }

    /// <summary>Does what can be done now without waiting.</summary>
    private State Step()
    {
        var before = Pending;
        var state = Advance(out var events, out var newest);
        if (events == 0 && state is State.Busy or State.Idle && TakeDue() && !TryWriteOwedPosition())
        {
            WriteHeartbeat();
        }

        if (Pending > before)
        {
            _services.Metrics.Flushed(events, Pending - before);
            if (newest != 0 && IsCaughtUp && _services.Metrics.DeliveryLag.Enabled)
            {
                _services.Metrics.DeliveryLag.Record(Math.Max(0, (_services.Time.GetUtcNow().ToUnixTimeMilliseconds() - newest) / 1000d));
            }
        }

        return state;
    }

    private State Advance(out int events, out long newest)
    {
        events = 0;
        newest = 0;
        if (_resolving is not null)
        {
            if (!_resolving.IsCompleted)
            {
                return State.Idle;
            }

            Begin(_resolving.GetAwaiter().GetResult());
            _resolving = null;
        }

        if (_reading is not null)
        {
            if (!_reading.IsCompleted)
            {
                return State.Idle;
            }

            var read = _reading.GetAwaiter().GetResult();
            _reading = null;
            var from = _cursor.Position;
            _cursor.Accept(read);
            if (!read.AtTail)
            {
                return Write(from, read.Before, read.Events, ref events, ref newest);
            }
        }

        var batch = _batch ??= new EncodedEvent?[BatchEvents];
        var start = _cursor.Position;
        switch (_cursor.Take(batch, BatchBytes, out var count, out var before, out var end))
        {
            case CursorStep.Events:
                var state = Write(start, before, batch.AsSpan(0, count), ref events, ref newest);
                batch.AsSpan(0, count).Clear();
                return state;
            case CursorStep.Tail:
                return AtTail(end);
            default:
                _reading = _cursor.ReadTiersAsync();
                if (_reading.IsCompleted)
                {
                    return State.Busy;
                }

                _reading.GetAwaiter().UnsafeOnCompleted(_wake);
                return State.Idle;
        }
    }

    private State AtTail(StreamEnd? end)
    {
        WriteDropped();
        if (end is not null)
        {
            TryWriteOwedPosition();
            WriteControl(ControlEvent.Of(Stream, end));
            return State.Ended;
        }

        if (!IsCaughtUp && _cursor.Position >= _tailAtStart)
        {
            IsCaughtUp = true;
            TryWriteOwedPosition();
            WriteControl(ControlEvent.CaughtUp(Stream, _cursor.Position));
        }

        return State.Idle;
    }

    private State Write(
        StreamPosition from, Discontinuity? before, ReadOnlySpan<EncodedEvent?> batch, ref int events, ref long newest)
    {
        if (_request.Policy != LagPolicy.CatchUp && _feed.Tail.Last is var last && last.Sequence - from.Sequence > _request.Lag)
        {
            if (_request.Policy == LagPolicy.Disconnect)
            {
                // The events stay unsent: the client gets them when it comes back.
                _cursor.MoveTo(from);
                return State.Lagging;
            }

            _dropUntil ??= last;
        }

        if (before is not null)
        {
            WriteDropped();
            WriteDiscontinuity(before);
        }

        foreach (var item in batch)
        {
            if (IsDropped(item!, from))
            {
                from = item!.Position;
                continue;
            }

            WriteDropped();
            from = item!.Position;
            if (_request.Types is { } types && !types.Matches(item))
            {
                OwePosition(_services.Registry.Now);
                continue;
            }

            WriteEvent(item);
            PositionTold();
            events++;
            newest = item.RecordedAt;
        }

        return State.Busy;
    }

    private bool IsDropped(EncodedEvent item, StreamPosition from)
    {
        if (_dropUntil is not { } until)
        {
            return false;
        }

        if (item.Position >= until)
        {
            _dropUntil = null;
        }

        if (item.Position > until || (item.Flags & (EventFlags.Critical | EventFlags.Terminal)) != 0)
        {
            return false;
        }

        _droppedFrom = _dropped == 0 ? from : _droppedFrom;
        _droppedTo = item.Position;
        _dropped++;
        return true;
    }

    private void WriteDropped()
    {
        if (_dropped > 0)
        {
            WriteControl(ControlEvent.Dropped(Stream, _droppedFrom, _droppedTo, _dropped));
            Drops += _dropped;
            _services.Metrics.Drops.Add(_dropped);
            _dropped = 0;
            OwePosition(_services.Registry.Now);
        }
    }

    private void WriteDiscontinuity(Discontinuity discontinuity)
    {
        if (discontinuity.Gap is { } gap)
        {
            _services.Metrics.Gaps.Add(1);
            WriteControl(ControlEvent.Of(Stream, gap));
        }

        if (discontinuity.Border is { } border)
        {
            WriteControl(ControlEvent.Of(Stream, border));
        }
    }

    /// <summary>Tells the client its position if it does not know; never while it has yet to be told that events were dropped.</summary>
    private bool TryWriteOwedPosition()
    {
        if (!OwesPosition || _dropped > 0)
        {
            return false;
        }

        WritePosition(_cursor.Position);
        PositionTold();
        return true;
    }
}
