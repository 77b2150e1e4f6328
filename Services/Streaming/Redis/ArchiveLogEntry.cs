using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.Streaming.Redis;

/// <summary>What an entry of an archive log asks for.</summary>
public enum ArchiveLogKind
{
    /// <summary>Events to archive.</summary>
    Append,

    /// <summary>A stream was deleted.</summary>
    Delete,

    /// <summary>The partition's epoch was raised here.</summary>
    Raise,
}

/// <summary>One entry of a partition's archive log.</summary>
/// <param name="Id">The entry's ID: partition epoch and a counter. Ordered like positions, but not a stream position.</param>
/// <param name="Kind">What it asks for.</param>
/// <param name="Stream">The stream; empty for <see cref="ArchiveLogKind.Raise"/>.</param>
/// <param name="Batch">The events; for <see cref="ArchiveLogKind.Delete"/> the deleted stream's last position.</param>
/// <param name="DeleteFromArchive">For <see cref="ArchiveLogKind.Delete"/>: whether the archive forgets the stream too.</param>
/// <param name="CountedBytes">What the append counted for it against the cap of the archive logs.</param>
public sealed record ArchiveLogEntry(
    StreamPosition Id, ArchiveLogKind Kind, string Stream, LogBatch Batch, bool DeleteFromArchive, long CountedBytes);
