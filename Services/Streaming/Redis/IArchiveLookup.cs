using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.Streaming.Redis;

/// <summary>What the archive knows of a stream that Redis does not know, or knows only up to a restart.</summary>
/// <param name="Last">Its last archived position; <c>0-0</c> when the archive does not know it.</param>
/// <param name="EndState">The state it ended in; null while it runs.</param>
/// <param name="EndType">The type of the event that ended it.</param>
/// <param name="Known">Index in the request and position of each event whose id is archived already.</param>
public sealed record ArchiveKnowledge(
    StreamPosition Last, string? EndState, string? EndType, IReadOnlyList<KeyValuePair<int, StreamPosition>> Known);

/// <summary>
/// Asks the archive about a stream. A seam, because this library knows nothing of PostgreSQL and the command line appends without one.
/// </summary>
public interface IArchiveLookup
{
    /// <summary>Looks a stream up, and of <paramref name="events"/> those with given ids.</summary>
    /// <exception cref="Exception">The archive cannot be asked; the append goes on without.</exception>
    Task<ArchiveKnowledge> LookUpAsync(string stream, IReadOnlyList<AppendEvent> events, CancellationToken cancellationToken);
}
