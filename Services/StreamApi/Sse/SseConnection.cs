using System.Globalization;
using System.IO.Pipelines;
using System.Text;
using AspireStreaming.StreamApi.Connections;
using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Sse;

/// <summary>
/// One SSE subscriber: a loop that takes everything its cursor can have, writes it and flushes once. Whatever happens to it (events,
/// the end of a slow read, the heartbeat, a drain, the client's leaving) comes as its signal.
/// </summary>
internal sealed class SseConnection : LiveConnection
{
    /// <summary>Most events a pass.</summary>
    private const int BatchEvents = 256;

    /// <summary>Most bytes a pass: what a slow client must take within the write timeout.</summary>
    private const int BatchBytes = 64 << 10;

    private const int MinRetryMilliseconds = 1_000;
    private const int MaxRetryMilliseconds = 5_000;

    [ThreadStatic]
    private static EncodedEvent?[]? _batch;

    private readonly HttpContext _context;
    private readonly SseRequest _request;
    private readonly StreamFeed _feed;
    private readonly StreamCursor _cursor;
    private readonly ConnectionRegistry _registry;
    private readonly StreamApiMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly Action _wake;
    private readonly CancellationToken _aborted;
    private Task<ResolvedStart>? _resolving;
    private Task<TierRead>? _reading;
    private StreamPosition _tailAtStart;
    private StreamPosition? _dropUntil;
    private StreamPosition _droppedFrom;
    private StreamPosition _droppedTo;
    private long _dropped;

    public SseConnection(
        HttpContext context,
        SseRequest request,
        StreamFeed feed,
        Task<ResolvedStart> resolving,
        ConnectionRegistry registry,
        StreamApiMetrics metrics,
        TimeProvider time)
        : base("sse", request.Stream, context.Connection.RemoteIpAddress?.ToString(), context.Request.Headers.UserAgent, time.GetUtcNow())
    {
        _context = context;
        _request = request;
        _feed = feed;
        _cursor = new StreamCursor(feed);
        _resolving = resolving;
        _registry = registry;
        _metrics = metrics;
        _time = time;
        _wake = Signal.Set;
        _aborted = context.RequestAborted;
    }

    public override StreamPosition Position => _cursor.Position;

    public override long Lag => _cursor.Lag;

    public override Tier Tier => _cursor.Tier;

    private PipeWriter Output => _context.Response.BodyWriter;

    public override void Abort() => _context.Abort();

    /// <summary>Serves the client until it leaves, the stream ends or the service drains.</summary>
    /// <returns>Why it ended.</returns>
    public async Task<string> RunAsync()
    {
        await using var abort = _aborted.UnsafeRegister(static state => ((DeliverySignal)state!).Set(), Signal);
        _feed.Join(Signal);
        try
        {
            WriteOpening();
            var written = true;
            while (true)
            {
                if (written && !await FlushAsync())
                {
                    return "client left";
                }

                if (_aborted.IsCancellationRequested)
                {
                    return "client left";
                }

                if (DrainReason is { } reason)
                {
                    WriteDrain(reason);
                    await FlushAsync();
                    return reason;
                }

                var state = Step(out written);
                if (state == State.Ended)
                {
                    await FlushAsync();
                    return "stream ended";
                }

                if (state == State.Lagging)
                {
                    Drain(DrainReasons.Lag);
                }
                else if (state == State.Idle && !written)
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

    private enum State
    {
        Busy,
        Idle,
        Lagging,
        Ended,
    }

    /// <summary>Does what can be done now without waiting.</summary>
    private State Step(out bool written)
    {
        var writer = new FrameWriter(Output);
        var state = Advance(ref writer, out var events, out var newest);
        if (events == 0 && state is State.Busy or State.Idle && TakeDue() && !TryWriteOwedPosition(ref writer))
        {
            writer.Write(": heartbeat\n\n"u8);
        }

        writer.Complete();
        written = writer.Written > 0;
        if (written)
        {
            Bytes += writer.Written;
            _metrics.Flushed(events, writer.Written);
            if (newest != 0 && IsCaughtUp && _metrics.DeliveryLag.Enabled)
            {
                _metrics.DeliveryLag.Record(Math.Max(0, (_time.GetUtcNow().ToUnixTimeMilliseconds() - newest) / 1000d));
            }
        }

        return state;
    }

    private State Advance(ref FrameWriter writer, out int events, out long newest)
    {
        events = 0;
        newest = 0;
        if (_resolving is not null)
        {
            if (!_resolving.IsCompleted)
            {
                return State.Idle;
            }

            Begin(ref writer, _resolving.GetAwaiter().GetResult(), told: _request.From.Kind is StartKind.Position or StartKind.Start);
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
                return Write(ref writer, from, read.Before, read.Events, ref events, ref newest);
            }
        }

        var batch = _batch ??= new EncodedEvent?[BatchEvents];
        var start = _cursor.Position;
        switch (_cursor.Take(batch, BatchBytes, out var count, out var before, out var end))
        {
            case CursorStep.Events:
                var state = Write(ref writer, start, before, batch.AsSpan(0, count), ref events, ref newest);
                batch.AsSpan(0, count).Clear();
                return state;
            case CursorStep.Tail:
                return AtTail(ref writer, end);
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

    private State AtTail(ref FrameWriter writer, StreamEnd? end)
    {
        WriteDropped(ref writer);
        if (end is not null)
        {
            TryWriteOwedPosition(ref writer);
            writer.Write(ControlEvent.Of(Stream, end).ToSse());
            return State.Ended;
        }

        if (!IsCaughtUp && _cursor.Position >= _tailAtStart)
        {
            IsCaughtUp = true;
            TryWriteOwedPosition(ref writer);
            writer.Write(ControlEvent.CaughtUp(Stream, _cursor.Position).ToSse());
        }

        return State.Idle;
    }

    private State Write(
        ref FrameWriter writer, StreamPosition from, Discontinuity? before, ReadOnlySpan<EncodedEvent?> batch, ref int events, ref long newest)
    {
        var last = _feed.Tail.Last;
        if (_request.Policy != LagPolicy.CatchUp && last.Sequence - from.Sequence > _request.Lag)
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
            WriteDropped(ref writer);
            WriteDiscontinuity(ref writer, before);
        }

        foreach (var item in batch)
        {
            if (_dropUntil is { } until)
            {
                if (item!.Position <= until && (item.Flags & (EventFlags.Critical | EventFlags.Terminal)) == 0)
                {
                    _droppedFrom = _dropped == 0 ? from : _droppedFrom;
                    _droppedTo = item.Position;
                    _dropped++;
                    from = item.Position;
                    continue;
                }

                if (item.Position >= until)
                {
                    _dropUntil = null;
                }
            }

            WriteDropped(ref writer);
            from = item!.Position;
            if (_request.Types is { } types && !types.Matches(item))
            {
                OwePosition(_registry.Now);
                continue;
            }

            if (_request.Named)
            {
                writer.Write(item.NamedFrame.Span);
            }
            else
            {
                writer.Write(item.IdLine.Span);
                writer.Write(item.UnnamedBody.Span);
            }

            PositionTold();
            events++;
            newest = item.RecordedAt;
        }

        return State.Busy;
    }

    private void Begin(ref FrameWriter writer, ResolvedStart start, bool told)
    {
        _cursor.MoveTo(start.Position);
        _tailAtStart = start.Tail.Deleted ? StreamPosition.Zero : start.Tail.Last;
        if (start.Gap is { } gap)
        {
            WriteDiscontinuity(ref writer, new Discontinuity(gap, null));
            told = false;
        }

        if (!told)
        {
            WritePosition(ref writer);
        }
    }

    private void WriteOpening()
    {
        var writer = new FrameWriter(Output);
        var retry = Random.Shared.Next(MinRetryMilliseconds, MaxRetryMilliseconds + 1);
        writer.Write(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"retry: {retry}\n: stream {Stream}\n")));

        // A start that the client named itself needs no answer from anybody; and one beyond the end is told as it was given, so that
        // a client that goes away before it hears of the gap hears of it when it comes back.
        if (_request.From.Kind is StartKind.Position or StartKind.Start)
        {
            _cursor.MoveTo(_request.From.Position);
            WritePosition(ref writer);
        }
        else if (_resolving is { IsCompletedSuccessfully: true })
        {
            Begin(ref writer, _resolving.GetAwaiter().GetResult(), told: false);
            _resolving = null;
        }
        else
        {
            writer.Write("\n"u8);
        }

        if (_resolving is { IsCompleted: false })
        {
            _resolving.GetAwaiter().UnsafeOnCompleted(_wake);
        }

        writer.Complete();
        Bytes += writer.Written;
    }

    /// <summary>Tells the client its position if it does not know; never while it has yet to be told that events were dropped.</summary>
    private bool TryWriteOwedPosition(ref FrameWriter writer)
    {
        if (!OwesPosition || _dropped > 0)
        {
            return false;
        }

        WritePosition(ref writer);
        return true;
    }

    private void WritePosition(ref FrameWriter writer)
    {
        Span<byte> text = stackalloc byte[StreamPosition.MaxTextLength];
        _cursor.Position.TryFormat(text, out var length, default, null);
        writer.Write("id: "u8);
        writer.Write(text[..length]);
        writer.Write("\n\n"u8);
        PositionTold();
    }

    private void WriteDiscontinuity(ref FrameWriter writer, Discontinuity discontinuity)
    {
        if (discontinuity.Gap is { } gap)
        {
            _metrics.Gaps.Add(1);
            writer.Write(ControlEvent.Of(Stream, gap).ToSse());
        }

        if (discontinuity.Border is { } border)
        {
            writer.Write(ControlEvent.Of(Stream, border).ToSse());
        }
    }

    private void WriteDropped(ref FrameWriter writer)
    {
        if (_dropped > 0)
        {
            writer.Write(ControlEvent.Dropped(Stream, _droppedFrom, _droppedTo, _dropped).ToSse());
            Drops += _dropped;
            _metrics.Drops.Add(_dropped);
            _dropped = 0;
            OwePosition(_registry.Now);
        }
    }

    private void WriteDrain(string reason)
    {
        var writer = new FrameWriter(Output);
        TryWriteOwedPosition(ref writer);

        // Everybody comes back at a moment of their own.
        var retry = Random.Shared.Next(MinRetryMilliseconds, MaxRetryMilliseconds + 1);
        writer.Write(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"retry: {retry}\n")));
        writer.Write(ControlEvent.Drain(Stream, retry, reason).ToSse());
        writer.Complete();
        Bytes += writer.Written;
    }

    /// <returns>False when the client is gone.</returns>
    private async ValueTask<bool> FlushAsync()
    {
        BeginWrite(_registry.Now);
        try
        {
            var result = await Output.FlushAsync(CancellationToken.None);
            return !result.IsCompleted && !result.IsCanceled;
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException or ObjectDisposedException)
        {
            return false;
        }
        finally
        {
            EndWrite(_registry.Now);
        }
    }
}
