using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.Streaming.Redis;

/// <summary>An event to append.</summary>
/// <param name="Source">CloudEvents source; with <paramref name="Id"/> the idempotency key.</param>
/// <param name="Id">The event's id, given or generated.</param>
/// <param name="IdGenerated">Whether the publisher generated the id in this very request.</param>
/// <param name="Type">The event's type.</param>
/// <param name="Flags">The event's flags; a terminal event must be the last of its request.</param>
/// <param name="Frame">From <see cref="EventFrame.Encode"/>.</param>
public readonly record struct AppendEvent(string Source, string Id, bool IdGenerated, string Type, EventFlags Flags, byte[] Frame);

/// <summary>One atomic append. The same instance is passed again for a retry, which is how the log knows that it is one.</summary>
public sealed class AppendRequest
{
    /// <summary>A valid stream name.</summary>
    public required string Stream { get; init; }

    /// <summary>1 to 1,000 events.</summary>
    public required IReadOnlyList<AppendEvent> Events { get; init; }

    /// <summary>The position at which the stream must stand; null = anywhere.</summary>
    public StreamPosition? Expected { get; init; }

    /// <summary>Names the request for its retries and is the stem of its generated ids (<see cref="GeneratedId"/>).</summary>
    public string Attempt { get; init; } = GeneratedId.NewAttempt();

    /// <summary>Set by <see cref="HotLog"/> once a try may have reached Redis.</summary>
    internal bool Tried { get; set; }
}

/// <summary>How an append ended.</summary>
public enum AppendStatus
{
    /// <summary>All events are in the log.</summary>
    Appended,

    /// <summary>The stream has ended.</summary>
    Ended,

    /// <summary>The stream does not stand at the expected position.</summary>
    PositionMismatch,

    /// <summary>The archive is too far behind.</summary>
    BacklogFull,
}

/// <summary>The answer to an append.</summary>
/// <param name="Status">How it ended.</param>
/// <param name="First">Position of the request's first event as given; only when appended.</param>
/// <param name="Last">Position of the request's last event as given; only when appended.</param>
/// <param name="Accepted">Events that this request appended.</param>
/// <param name="Duplicates">Events that were there before.</param>
/// <param name="Current">Where the stream stands; for <see cref="AppendStatus.Ended"/> and <see cref="AppendStatus.PositionMismatch"/>.</param>
/// <param name="EndState">The stream's state, for <see cref="AppendStatus.Ended"/>.</param>
/// <param name="IdempotencyPartial">Whether the archive could not be asked for ids that Redis no longer knows.</param>
/// <param name="RecordedAt">When the new events were recorded, Unix milliseconds; 0 where all were there before.</param>
/// <param name="Previous">The link that the first new event carries over an epoch border.</param>
/// <param name="Positions">
/// Every event's position, as given; null where all events are new, and so stand one after another from <paramref name="First"/>.
/// </param>
/// <param name="LogId">ID of the last entry that the append made in the partition's archive log; <c>0-0</c> when it made none.</param>
public sealed record AppendResult(
    AppendStatus Status,
    StreamPosition First = default,
    StreamPosition Last = default,
    int Accepted = 0,
    int Duplicates = 0,
    StreamPosition Current = default,
    string? EndState = null,
    bool IdempotencyPartial = false,
    long RecordedAt = 0,
    StreamPosition? Previous = null,
    IReadOnlyList<StreamPosition>? Positions = null,
    StreamPosition LogId = default);
