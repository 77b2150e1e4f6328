using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.Archive;

/// <summary>Positions that should be in the archive and are not.</summary>
/// <param name="From">The last position before the hole.</param>
/// <param name="To">The last missing position.</param>
/// <param name="Missed">How many events; null when unknown, which it is across an epoch border.</param>
public sealed record AuditHole(StreamPosition From, StreamPosition To, long? Missed);

/// <summary>What <see cref="ArchiveAudit"/> found in a stream.</summary>
/// <param name="Stream">The stream.</param>
/// <param name="Events">Number of its archived events, repetitions included.</param>
/// <param name="Dead">Number of its events that the archive had to refuse; their positions count as present.</param>
/// <param name="Epochs">Number of epochs that have a position in the archive.</param>
/// <param name="Restarts">
/// How many of them begin anew, at sequence 1 and without a link to the epoch before, as after a deletion; that is no hole.
/// </param>
/// <param name="First">The first position; null when there is none.</param>
/// <param name="Last">The last position; null when there is none.</param>
/// <param name="Holes">The first <see cref="ArchiveAudit.MaxHoles"/> holes, in order.</param>
/// <param name="HoleCount">Number of all holes.</param>
/// <param name="Duplicates">How often a position occurs once more, which only different days allow.</param>
/// <param name="RepeatedIds">Number of identities, source and id, that stand at more than one position.</param>
/// <param name="ArchivedTo">Up to where the archive says that it has the stream.</param>
public sealed record StreamAudit(
    string Stream,
    long Events,
    long Dead,
    long Epochs,
    long Restarts,
    StreamPosition? First,
    StreamPosition? Last,
    IReadOnlyList<AuditHole> Holes,
    long HoleCount,
    long Duplicates,
    long RepeatedIds,
    StreamPosition ArchivedTo)
{
    /// <summary>Whether the beginning is gone, as retention drops it; that is no hole.</summary>
    public bool Trimmed => First is { Sequence: not 1 };

    /// <summary>Whether nothing is missing and nothing is there twice.</summary>
    public bool IsWell => HoleCount == 0 && Duplicates == 0 && RepeatedIds == 0;
}
