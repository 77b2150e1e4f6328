using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Delivery;

/// <summary>What a cursor can have now.</summary>
internal enum CursorStep
{
    /// <summary>Events from the window.</summary>
    Events,

    /// <summary>Nothing: it has reached the end.</summary>
    Tail,

    /// <summary>Events that only slower tiers have.</summary>
    SlowerTiers,
}

/// <summary>
/// A reader's place in a stream. All that a subscriber costs: no queue, no copy of an event. It reads from the window if that holds
/// its next position, else from the log or the archive. Not thread-safe; a part of its reader, not to be copied.
/// </summary>
internal struct StreamCursor(StreamFeed feed)
{
    private readonly int _deletionsSeen = feed.Deletions;
    private bool _fruitless;

    /// <summary>What the reader has had.</summary>
    public StreamPosition Position { get; private set; }

    /// <summary>Where its events come from.</summary>
    public Tier Tier { get; private set; } = Tier.Window;

    /// <summary>
    /// Whether nothing followed the events that it took last: the next thing comes with a signal, and need not be looked for.
    /// </summary>
    public bool TookAll { get; private set; }

    /// <summary>Events that it is behind, as far as sequences tell.</summary>
    public long Lag => Math.Max(0, feed.Tail.Last.Sequence - Position.Sequence);

    /// <summary>Puts the cursor at a position.</summary>
    public void MoveTo(StreamPosition position) => Position = position;

    /// <summary>Takes what the window has.</summary>
    /// <param name="into">Receives the events.</param>
    /// <param name="bytes">Most bytes, but at least one event.</param>
    /// <param name="count">Number of events.</param>
    /// <param name="before">What the reader must be told before the first of them.</param>
    /// <param name="end">At the tail: how the stream ended, if it has.</param>
    public CursorStep Take(Span<EncodedEvent?> into, long bytes, out int count, out Discontinuity? before, out StreamEnd? end)
    {
        before = null;
        var read = feed.Read(Position, into, bytes, _deletionsSeen, out count, out end, out var isAll);
        TookAll = isAll;
        switch (read)
        {
            case WindowRead.Found:
                var first = into[0]!;
                before = Continuity.Describe(Position, first, GapReasons.Unknown, first.BorderVerified);
                Position = into[count - 1]!.Position;
                Tier = Tier.Window;
                return CursorStep.Events;
            case WindowRead.AtTail:
                Tier = Tier.Window;
                return CursorStep.Tail;
            default:
                // The slower tiers had nothing either when last asked: wait for the next signal.
                var fruitless = _fruitless;
                _fruitless = false;
                return fruitless ? CursorStep.Tail : CursorStep.SlowerTiers;
        }
    }

    /// <summary>Begins a read of the slower tiers, which goes on until it succeeds.</summary>
    public Task<TierRead> ReadTiersAsync() => feed.ReadTiersAsync(Position);

    /// <summary>Takes what such a read found.</summary>
    public void Accept(TierRead read)
    {
        Position = read.Cursor;
        Tier = read.Source;
        _fruitless = read.AtTail;
    }
}
