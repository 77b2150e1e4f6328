using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Delivery;

/// <summary>Where a reader's events come from.</summary>
internal enum Tier
{
    /// <summary>This process's memory.</summary>
    Window,

    /// <summary>Redis.</summary>
    Log,

    /// <summary>PostgreSQL.</summary>
    Archive,
}

/// <summary>The tiers that a read may use.</summary>
[Flags]
internal enum TierSet
{
    Log = 1,
    Archive = 2,
    All = Log | Archive,
}

/// <summary>Where a stream ends for now.</summary>
/// <param name="Last">Its last position; <c>0-0</c> when nobody knows the stream.</param>
/// <param name="End">How it ended; null while it runs.</param>
/// <param name="Deleted">Whether the hot log has only its tombstone.</param>
/// <param name="IsArchived">Whether the hot log has lost the end of it, and the archive has that.</param>
internal sealed record StreamTail(StreamPosition Last, StreamEnd? End, bool Deleted, bool IsArchived = false);

/// <summary>What a read of the slower tiers found after a cursor.</summary>
/// <param name="Source">The tier.</param>
/// <param name="Before">What the reader must be told first; null for nothing.</param>
/// <param name="Events">The events, without holes; empty when there are none, or only a gap up to the tail.</param>
/// <param name="Cursor">Where the reader stands afterwards.</param>
/// <param name="Tail">Set when there are no events: where the stream ends.</param>
internal sealed record TierRead(Tier Source, Discontinuity? Before, EncodedEvent[] Events, StreamPosition Cursor, StreamTail? Tail)
{
    /// <summary>Whether the reader stands at the end of the stream, as far as Redis and the archive know.</summary>
    public bool AtTail => Tail is not null && Before is null;
}
