using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Delivery;

/// <summary>How an event relates to the position that a reader has reached.</summary>
internal enum Link
{
    /// <summary>It is the very next one.</summary>
    Adjacent,

    /// <summary>It opens a new epoch and names the reader's position as the one before it.</summary>
    ProvenBorder,

    /// <summary>It opens a new epoch, and nothing tells whether the reader has all of the one before.</summary>
    UnprovenBorder,

    /// <summary>Events are known to lie between.</summary>
    Hole,
}

/// <summary>The arithmetic of positions, in this one place.</summary>
internal static class Continuity
{
    /// <summary>Judges the step from a cursor to the next event that a tier has.</summary>
    /// <param name="cursor">What the reader has had; <c>0-0</c> for nothing.</param>
    /// <param name="next">An event after it.</param>
    /// <param name="previous">The event's own link to the epoch before.</param>
    public static Link Judge(StreamPosition cursor, StreamPosition next, StreamPosition? previous)
    {
        if (cursor.IsZero)
        {
            return next.Sequence == 1 && previous is null ? Link.Adjacent : Link.Hole;
        }

        if (cursor.Epoch == next.Epoch)
        {
            return next.Sequence == cursor.Sequence + 1 ? Link.Adjacent : Link.Hole;
        }

        return previous is null || previous < cursor ? Link.UnprovenBorder
            : previous == cursor ? Link.ProvenBorder
            : Link.Hole;
    }

    /// <inheritdoc cref="Judge(StreamPosition, StreamPosition, StreamPosition?)"/>
    public static Link Judge(StreamPosition cursor, EncodedEvent next) => Judge(cursor, next.Position, next.Previous);

    /// <summary>Whether the event names, or simply follows, the one before it.</summary>
    public static bool IsContinuous(this Link link) => link is Link.Adjacent or Link.ProvenBorder;

    /// <summary>
    /// Whether the archive must be asked first. Also where the event names the reader's position as the one before it: it is the last
    /// that the hot log knew, and the archiver may have taken more from a log that was lost since.
    /// </summary>
    public static bool IsBorder(this Link link) => link is Link.ProvenBorder or Link.UnprovenBorder;

    /// <summary>The position that a reader must have reached for the event to be the next one.</summary>
    public static StreamPosition Before(EncodedEvent first) => first.Previous ?? first.Position with { Sequence = first.Position.Sequence - 1 };

    /// <summary>What a reader must be told before it is given the event; null for nothing.</summary>
    /// <param name="cursor">What the reader has had.</param>
    /// <param name="next">The event that it gets next.</param>
    /// <param name="reason">Why events between are missing, if they are.</param>
    /// <param name="verified">For a border: whether the archive was asked for what lies before it.</param>
    public static Discontinuity? Describe(StreamPosition cursor, EncodedEvent next, string reason, bool verified)
    {
        switch (Judge(cursor, next))
        {
            case Link.Adjacent:
                return null;
            case Link.ProvenBorder when verified:
                return new Discontinuity(null, new EpochBorder(cursor, next.Position, 0));
            case Link.ProvenBorder:
            case Link.UnprovenBorder:
                Gap? gap = verified ? null : new Gap(cursor, Before(next with { Previous = null }), null, GapReasons.Epoch);
                return new Discontinuity(gap, new EpochBorder(cursor, next.Position, null));
            default:
                var to = Before(next);
                var border = to.Epoch != next.Position.Epoch && !cursor.IsZero ? new EpochBorder(to, next.Position, 0) : (EpochBorder?)null;
                return new Discontinuity(Gap.Between(cursor, to, reason), border);
        }
    }
}
