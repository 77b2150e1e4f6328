using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.Archive;

/// <summary>What the archive knows of a stream.</summary>
/// <param name="Name">The stream.</param>
/// <param name="First">Position of its first archived event.</param>
/// <param name="Last">Position of its last archived event.</param>
/// <param name="Count">Number of its archived events that can be read.</param>
/// <param name="EndState">The state its terminal event left it in; null while it runs.</param>
/// <param name="EndType">The type of that event.</param>
/// <param name="UpdatedAt">When its last archived event was recorded, to the second; the key that listings are ordered by.</param>
public sealed record ArchivedStream(
    string Name, StreamPosition First, StreamPosition Last, long Count, string? EndState, string? EndType, DateTimeOffset UpdatedAt)
{
    /// <summary>When it was deleted from the hot log but kept here; null otherwise.</summary>
    public DateTimeOffset? DeletedAt { get; init; }
}
