using System.Diagnostics;
using System.Runtime.CompilerServices;
using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Connections;

/// <summary>
/// Follows one stream for one client: its cursor, start, filter, policy, and what the client must be told. It never waits; what it
/// waits for (the start, a slow read, new events) comes as its signal. Not thread-safe; the loop of the connection owns it.
/// </summary>
internal sealed class StreamFollower : IDisposable
{
    /// <summary>Most events a step.</summary>
    private const int BatchEvents = 256;

    /// <summary>Most bytes a step: what a slow client must take within the write timeout.</summary>
    private const int BatchBytes = 64 << 10;

    /// <summary>What is kept of a slow read that a step had no credit for, bytes; the rest is read again.</summary>
    private const int KeptBytes = 16 << 10;

    [ThreadStatic]
    private static EncodedEvent?[]? _batch;

    private readonly FeedRegistry _feeds;
    private readonly StreamFeed _feed;
    private StreamCursor _cursor;
    private readonly SubscriptionServices _services;
    private DeliveredRuns _delivered;
    private ReaderSignal? _signal;
    private Task<ResolvedStart>? _resolving;
    private Task<TierRead>? _reading;
    private EncodedEvent[] _rest = [];
    private StreamPosition _tailAtStart;
    private long _positionOwedSince;
    private bool _startUntold;
    private bool _isDisposed;
    private Dropping? _dropping;
    private StrongBox<Passage>? _passed;

    /// <summary>Made by <see cref="FollowerFactory"/>.</summary>
    public StreamFollower(
        SubscriptionRequest request, StreamFeed feed, Task<ResolvedStart> resolving, FeedRegistry feeds, SubscriptionServices services)
    {
        Request = request;
        _feed = feed;
        _feeds = feeds;
        _cursor = new StreamCursor(feed);
        _resolving = resolving;
        _services = services;
    }

    /// <summary>What the client wants.</summary>
    public SubscriptionRequest Request { get; }

    /// <summary>The stream.</summary>
    public string Stream => Request.Stream;

    /// <summary>Completes when it is known where it starts.</summary>
    public Task Start => _resolving ?? Task.CompletedTask;

    /// <summary>Whether it is known that there is nothing to deliver and never will be: it starts at the end of an ended stream.</summary>
    public bool StartsAtEnd =>
        _resolving is { IsCompletedSuccessfully: true }
        && _resolving.GetAwaiter().GetResult() is { Tail.End: not null } start && start.Position >= start.Tail.Last;

    /// <summary>Its place in the stream. Another thread may read a position half moved, which only listings do.</summary>
    public StreamPosition Position => _cursor.Position;

    /// <summary>Events that it is behind.</summary>
    public long Lag => _cursor.Lag;

    /// <summary>The tier that it reads from.</summary>
    public Tier Tier => _cursor.Tier;

    /// <summary>Whether it has reached the end of the stream once.</summary>
    public bool IsCaughtUp { get; private set; }

    /// <summary>Whether it follows live: it was at the end once, and what comes next for it is still in the window.</summary>
    public bool IsLive => IsCaughtUp && _cursor.Tier == Tier.Window && _feed.IsInWindow(_cursor.Position);

    /// <summary>Events skipped by its policy.</summary>
    public long Drops => _dropping?.Total ?? 0;

    /// <summary>Whether its stream keeps up with the hot log, as far as is known.</summary>
    public bool IsHealthy => _feed.IsHealthy;

    /// <summary>How often a read of its stream had to be tried again.</summary>
    public long Retries => _feed.Retries;

    /// <summary>Since when the cursor is beyond what the client knows, by the registry's clock; 0 when it is not.</summary>
    public long PositionOwedSince => Volatile.Read(ref _positionOwedSince);

    /// <summary>Begins to follow.</summary>
    /// <param name="signal">Set whenever <see cref="Step"/> may find something to do.</param>
    /// <returns>Where the client's cursor starts; null while that is not known.</returns>
    public StreamPosition? Open(ReaderSignal signal)
    {
        _signal = signal;
        _feed.Join(signal);
        if (_resolving is { IsCompleted: false })
        {
            _resolving.GetAwaiter().UnsafeOnCompleted(signal.Set);
        }

        // A start that the client named itself needs no answer from anybody; and one beyond the end is told as it was given, so that
        // a client that goes away before it hears of the gap hears of it when it comes back.
        if (Request.From.Kind is StartKind.Position or StartKind.Start)
        {
            _cursor.MoveTo(Request.From.Position);
            return _cursor.Position;
        }

        if (_resolving is { IsCompletedSuccessfully: true })
        {
            _cursor.MoveTo(_resolving.GetAwaiter().GetResult().Position);
            return _cursor.Position;
        }

        _startUntold = true;
        return null;
    }

    /// <summary>Does what can be done now without waiting.</summary>
    /// <param name="sink">Receives what is to be written.</param>
    /// <param name="credit">Most events to write, at least 1.</param>
    public FollowerStep Step(IFollowerSink sink, int credit = int.MaxValue)
    {
        Debug.Assert(credit > 0, "A follower without credit is not stepped.");
        if (!TryBegin(sink))
        {
            return new FollowerStep(FollowerState.Idle, 0, 0);
        }

        var from = _cursor.Position;
        if (_rest.Length > 0)
        {
            var rest = _rest;
            _rest = [];
            return Write(sink, from, null, WithinCredit(rest, credit));
        }

        if (_reading is not null)
        {
            if (!_reading.IsCompleted)
            {
                return new FollowerStep(FollowerState.Idle, 0, 0);
            }

            var read = _reading.GetAwaiter().GetResult();
            _reading = null;
            _cursor.Accept(read);
            if (!read.AtTail)
            {
                return Write(sink, from, read.Before, WithinCredit(read.Events, credit));
            }
        }

        var batch = (_batch ??= new EncodedEvent?[BatchEvents]).AsSpan(0, Math.Min(credit, BatchEvents));
        switch (_cursor.Take(batch, BatchBytes, out var count, out var before, out var end))
        {
            case CursorStep.Events:
                var step = Write(sink, from, before, batch[..count]);
                batch[..count].Clear();
                return step.State == FollowerState.Busy && _cursor.TookAll && IsCaughtUp && !HasDropped
                    ? step with { State = FollowerState.Idle }
                    : step;
            case CursorStep.Tail:
                return new FollowerStep(AtTail(sink, end), 0, 0);
            default:
                _reading = _cursor.ReadTiersAsync();
                if (_reading.IsCompleted)
                {
                    return new FollowerStep(FollowerState.Busy, 0, 0);
                }

                _reading.GetAwaiter().UnsafeOnCompleted(_signal!.Set);
                return new FollowerStep(FollowerState.Idle, 0, 0);
        }
    }

    /// <summary>Puts the cursor where it starts, which the first step does otherwise.</summary>
    /// <returns>Whether it is known.</returns>
    public bool TryBegin(IFollowerSink sink)
    {
        if (_resolving is not null)
        {
            if (!_resolving.IsCompleted)
            {
                return false;
            }

            Begin(_resolving.GetAwaiter().GetResult(), sink);
            _resolving = null;
        }

        return true;
    }

    /// <summary>Tells the client its position if it does not know; never while it has yet to be told that events were dropped.</summary>
    /// <returns>Whether there was something to tell.</returns>
    public bool TryTellPosition(IFollowerSink sink)
    {
        if (_positionOwedSince == 0 || HasDropped)
        {
            return false;
        }

        WritePassed(sink);
        sink.WritePosition(this, _cursor.Position);
        PositionTold();
        return true;
    }

    /// <summary>Ends following; again is no error.</summary>
    public void Dispose()
    {
        if (_isDisposed)
        {
            return;
        }

        _isDisposed = true;
        if (_signal is not null)
        {
            _feed.Leave(_signal);
        }

        _feeds.Release(_feed);
    }

    private bool HasDropped => _dropping is { Count: > 0 };

    private void Begin(ResolvedStart start, IFollowerSink sink)
    {
        _cursor.MoveTo(start.Position);
        _tailAtStart = start.Tail.Deleted ? StreamPosition.Zero : start.Tail.Last;
        if (start.Gap is { } gap)
        {
            WriteDiscontinuity(sink, new Discontinuity(gap, null));
            _startUntold = true;
        }

        if (_startUntold)
        {
            OwePosition();
            TryTellPosition(sink);
        }
    }

    /// <summary>Cuts what a slow read found to what may be written now; the cursor follows.</summary>
    private ReadOnlySpan<EncodedEvent> WithinCredit(EncodedEvent[] events, int credit)
    {
        if (events.Length <= credit)
        {
            if (events.Length > 0)
            {
                _cursor.MoveTo(events[^1].Position);
            }

            return events;
        }

        var kept = credit;
        for (var bytes = 0; kept < events.Length && bytes + events[kept].Size <= KeptBytes; kept++)
        {
            bytes += events[kept].Size;
        }

        _rest = events[credit..kept];
        _cursor.MoveTo(events[credit - 1].Position);
        return events.AsSpan(0, credit);
    }

    private FollowerState AtTail(IFollowerSink sink, StreamEnd? end)
    {
        WriteDropped(sink);
        WritePassed(sink);
        if (end is not null)
        {
            TryTellPosition(sink);
            sink.WriteControl(this, ControlEvent.Of(Stream, end));
            return FollowerState.Ended;
        }

        if (!IsCaughtUp && _cursor.Position >= _tailAtStart)
        {
            IsCaughtUp = true;
            TryTellPosition(sink);
            sink.WriteControl(this, ControlEvent.CaughtUp(Stream, _cursor.Position));
        }

        return FollowerState.Idle;
    }

    private FollowerStep Write(IFollowerSink sink, StreamPosition from, Discontinuity? before, ReadOnlySpan<EncodedEvent?> batch)
    {
        if (Request.Policy != LagPolicy.CatchUp && _feed.Tail.Last is var last && last.Sequence - from.Sequence > Request.Lag)
        {
            if (Request.Policy == LagPolicy.Disconnect)
            {
                // The events stay unsent: the client gets them when it comes back.
                _cursor.MoveTo(from);
                _rest = [];
                return new FollowerStep(FollowerState.Lagging, 0, 0);
            }

            _dropping ??= new Dropping();
            _dropping.Until ??= last;
        }

        if (before is not null)
        {
            WriteDropped(sink);
            WritePassed(sink);
            WriteDiscontinuity(sink, before);
        }

        var events = 0;
        var newest = 0L;
        _delivered.Reached(from);
        foreach (var item in batch)
        {
            _delivered.Reached(item!.Position);
            if (_delivered.HasHad(item))
            {
                // The client had it before the hot log lost it; without a word the next position would look like a hole.
                WriteDropped(sink);
                _passed = new StrongBox<Passage>(new Passage(_passed?.Value.From ?? from, item.Position));
                from = item.Position;
                OwePosition();
                continue;
            }

            WritePassed(sink);
            if (IsDropped(item!, from))
            {
                from = item!.Position;
                continue;
            }

            WriteDropped(sink);
            from = item!.Position;
            if (Request.Types is { } types && !types.Matches(item))
            {
                OwePosition();
                continue;
            }

            sink.WriteEvent(this, item);
            PositionTold();
            events++;
            newest = item.RecordedAt;
        }

        return new FollowerStep(FollowerState.Busy, events, newest);
    }

    private bool IsDropped(EncodedEvent item, StreamPosition from)
    {
        if (_dropping is not { Until: { } until } dropping)
        {
            return false;
        }

        if (item.Position >= until)
        {
            dropping.Until = null;
        }

        if (item.Position > until || (item.Flags & (EventFlags.Critical | EventFlags.Terminal)) != 0)
        {
            return false;
        }

        dropping.From = dropping.Count == 0 ? from : dropping.From;
        dropping.To = item.Position;
        dropping.Count++;
        return true;
    }

    private void WriteDropped(IFollowerSink sink)
    {
        if (_dropping is { Count: > 0 } dropping)
        {
            sink.WriteControl(this, ControlEvent.Dropped(Stream, dropping.From, dropping.To, dropping.Count));
            dropping.Total += dropping.Count;
            _services.Metrics.Drops.Add(dropping.Count);
            dropping.Count = 0;
            OwePosition();
        }
    }

    private void WritePassed(IFollowerSink sink)
    {
        if (_passed is { Value: var passed })
        {
            _passed = null;
            sink.WriteControl(this, ControlEvent.Of(Stream, passed));
        }
    }

    private void WriteDiscontinuity(IFollowerSink sink, Discontinuity discontinuity)
    {
        if (discontinuity.Passed is { } passed)
        {
            _passed = new StrongBox<Passage>(passed);
            WritePassed(sink);
            OwePosition();
        }

        if (discontinuity.Gap is { } gap)
        {
            _services.Metrics.Gaps.Add(1);
            sink.WriteControl(this, ControlEvent.Of(Stream, gap));
        }

        if (discontinuity.Border is { } border)
        {
            sink.WriteControl(this, ControlEvent.Of(Stream, border));
        }
    }

    private void OwePosition()
    {
        if (_positionOwedSince == 0)
        {
            Volatile.Write(ref _positionOwedSince, Math.Max(_services.Registry.Now, 1));
        }
    }

    private void PositionTold()
    {
        if (_positionOwedSince != 0)
        {
            Volatile.Write(ref _positionOwedSince, 0);
        }
    }

    /// <summary>What a policy skips; most followers never have any.</summary>
    private sealed class Dropping
    {
        /// <summary>Where skipping ends; null while nothing is skipped.</summary>
        public StreamPosition? Until { get; set; }

        public StreamPosition From { get; set; }

        public StreamPosition To { get; set; }

        /// <summary>Skipped since the client was last told.</summary>
        public long Count { get; set; }

        public long Total { get; set; }
    }
}
