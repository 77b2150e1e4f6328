using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.Streaming.Redis;

/// <summary>What the archive knows of a stream that Redis does not know, or knows only up to a restart.</summary>
/// <param name="Last">Its last archived position; <c>0-0</c> when the archive does not know it.</param>
/// <param name="EndState">The state it ended in; null while it runs.</param>
/// <param name="EndType">The type of the event that ended it.</param>
/// <param name="Known">Index in the request and position of each event whose id is archived already.</param>
public sealed record ArchiveKnowledge(
    StreamPosition Last, string? EndState, string? EndType, IReadOnlyList<KeyValuePair<int, StreamPosition>> Known)
{
    /// <summary>The archive does not know the stream.</summary>
    public static ArchiveKnowledge Nothing { get; } = new(StreamPosition.Zero, null, null, []);
}

/// <summary>Where an event stands, and on which day it was recorded: the archive's key.</summary>
/// <param name="Stream">The stream.</param>
/// <param name="Position">Its position.</param>
/// <param name="RecordedAt">When it was recorded, Unix milliseconds.</param>
public readonly record struct EventKey(string Stream, StreamPosition Position, long RecordedAt);

/// <summary>Which of some events are archived.</summary>
/// <param name="Archived">Indexes of those that are.</param>
/// <param name="Last">The last archived position of each of their streams that the archive knows.</param>
public sealed record ArchivedEvents(IReadOnlySet<int> Archived, IReadOnlyDictionary<string, StreamPosition> Last)
{
    /// <summary>None, as far as is known.</summary>
    public static ArchivedEvents None { get; } = new(new HashSet<int>(), new Dictionary<string, StreamPosition>());
}

/// <summary>
/// Asks the archive about a stream. A seam, because this library knows nothing of PostgreSQL and the command line appends without one.
/// </summary>
public interface IArchiveLookup
{
    /// <summary>Looks a stream up, and of <paramref name="events"/> those whose ids are not generated in this request.</summary>
    /// <exception cref="Exception">The archive cannot be asked; the append goes on without.</exception>
    Task<ArchiveKnowledge> LookUpAsync(string stream, IReadOnlyList<AppendEvent> events, CancellationToken cancellationToken);

    /// <summary>Tells which of some events are archived, at their positions or as an event that was appended again.</summary>
    /// <exception cref="Exception">The archive cannot be asked.</exception>
    Task<ArchivedEvents> FindAsync(IReadOnlyList<EventKey> events, CancellationToken cancellationToken) => Task.FromResult(ArchivedEvents.None);

    /// <summary>ID of the last archived entry of a partition's archive log; <c>0-0</c> for none.</summary>
    /// <exception cref="Exception">The archive cannot be asked.</exception>
    Task<StreamPosition> ReadWatermarkAsync(int partition, CancellationToken cancellationToken) => Task.FromResult(StreamPosition.Zero);
}
