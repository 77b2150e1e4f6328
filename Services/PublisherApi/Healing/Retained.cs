using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;

namespace AspireStreaming.PublisherApi.Healing;

/// <summary>An acknowledged append or deletion that the archive does not have yet.</summary>
/// <param name="Stream">Of which stream.</param>
/// <param name="Last">The last position of it; of a deletion, up to where.</param>
/// <param name="Events">Its events as they are staged; empty for a deletion.</param>
/// <param name="EndType">The type of its last event, if that ended the stream.</param>
/// <param name="Deletion">Whether it is a deletion.</param>
internal sealed record Retained(string Stream, StreamPosition Last, IReadOnlyList<HeldEvent> Events, string? EndType, RetainedDeletion Deletion);

/// <summary>An acknowledged append or deletion, to be kept.</summary>
/// <param name="Stream">Of which stream.</param>
/// <param name="First">Where its first event stands; of a deletion, up to where.</param>
/// <param name="RecordedAt">When it was recorded, Unix milliseconds.</param>
/// <param name="Previous">The link over an epoch border that its first event carries.</param>
/// <param name="Events">Its events, one after another; empty for a deletion.</param>
/// <param name="LogId">Where the archive log has it, at the latest.</param>
/// <param name="Deletion">Whether it is a deletion.</param>
internal readonly record struct Acknowledged(
    string Stream,
    StreamPosition First,
    long RecordedAt,
    StreamPosition? Previous,
    IReadOnlyList<AppendEvent> Events,
    StreamPosition LogId,
    RetainedDeletion Deletion = RetainedDeletion.None);

/// <summary>Whether what is kept is a deletion.</summary>
internal enum RetainedDeletion : byte
{
    /// <summary>It is an append.</summary>
    None,

    /// <summary>From the hot log.</summary>
    FromHotLog,

    /// <summary>From the archive as well.</summary>
    FromArchive,
}

/// <summary>Where a kept append or deletion is, and what is asked of it often.</summary>
internal struct RetainedEntry
{
    /// <summary>About what an entry costs beside its record.</summary>
    private const int Overhead = 80;

    public required RetainedChunk Chunk { get; init; }

    public required int Offset { get; init; }

    public required int Length { get; init; }

    /// <summary>How many events; 0 for a deletion.</summary>
    public required int Events { get; init; }

    public required RetainedDeletion Deletion { get; init; }

    /// <summary>Its first position; of a deletion, up to where.</summary>
    public required StreamPosition First { get; init; }

    /// <summary>Grows with each that is kept, over all partitions.</summary>
    public required long Order { get; init; }

    /// <summary>Where the archive log has it, at the latest.</summary>
    public required StreamPosition LogId { get; set; }

    public readonly StreamPosition Last => Deletion != RetainedDeletion.None ? First : First with { Sequence = First.Sequence + Events - 1 };

    /// <summary>What it counts towards the bound.</summary>
    public readonly long Bytes => Length + Overhead;

    public readonly ReadOnlySpan<byte> Record => Chunk.Bytes.AsSpan(Offset, Length);

    public readonly bool Covers(string stream, StreamPosition position) =>
        Deletion == RetainedDeletion.None && position.Epoch == First.Epoch && position >= First && position <= Last && RetainedRecord.IsOf(Record, stream);
}
