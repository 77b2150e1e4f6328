using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.Streaming.Redis;

/// <summary>An acknowledged event that a publisher holds until it is archived.</summary>
/// <param name="Position">Its position.</param>
/// <param name="RecordedAt">When it was recorded, Unix milliseconds.</param>
/// <param name="Previous">On the first event of a later epoch: the last position of the one before.</param>
/// <param name="Identity">Its idempotency key as the hot log keeps it; empty for a generated id.</param>
/// <param name="Frame">The event.</param>
public readonly record struct HeldEvent(
    StreamPosition Position, long RecordedAt, StreamPosition? Previous, byte[] Identity, byte[] Frame);

/// <summary>What a publisher holds of a stream that Redis may have lost.</summary>
/// <param name="Stream">The stream.</param>
/// <param name="Events">Events, in order.</param>
public sealed record HeldStream(string Stream, IReadOnlyList<HeldEvent> Events)
{
    /// <summary>How far the archive has the stream, as far as it could be asked; <c>0-0</c> for unknown.</summary>
    public StreamPosition Archived { get; init; }

    /// <summary>The last position acknowledged, also where its event is no longer held; <c>0-0</c> for none.</summary>
    public StreamPosition Last { get; init; }

    /// <summary>The state in which the event at <see cref="Last"/> left the stream; null while it runs.</summary>
    public string? EndState { get; init; }

    /// <summary>The type of that event.</summary>
    public string? EndType { get; init; }

    /// <summary>Up to where the stream was deleted; null if it was not.</summary>
    public StreamPosition? Deleted { get; init; }

    /// <summary>Whether it was deleted from the archive as well.</summary>
    public bool DeletedFromArchive { get; init; }
}
