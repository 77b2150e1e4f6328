using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Delivery;

/// <summary>Values of a gap's <c>reason</c>.</summary>
internal static class GapReasons
{
    /// <summary>Older than what is kept.</summary>
    public const string Trimmed = "trimmed";

    /// <summary>Lost with an epoch.</summary>
    public const string Epoch = "epoch";

    /// <summary>The archive could not store them.</summary>
    public const string Dead = "dead";

    /// <summary>Nobody knows.</summary>
    public const string Unknown = "unknown";
}

/// <summary>Events that a reader will not get.</summary>
/// <param name="From">The last position before the hole.</param>
/// <param name="To">The last missing position.</param>
/// <param name="Missed">How many; null when unknown.</param>
/// <param name="Reason">One of <see cref="GapReasons"/>.</param>
internal readonly record struct Gap(StreamPosition From, StreamPosition To, long? Missed, string Reason)
{
    public static Gap Between(StreamPosition from, StreamPosition to, string reason) =>
        new(from, to, from.Epoch == to.Epoch ? to.Sequence - from.Sequence : null, reason);
}

/// <summary>The change from one epoch to the next.</summary>
/// <param name="Previous">The last position before the border.</param>
/// <param name="Current">Position of the first event after it.</param>
/// <param name="Missed">0 when nothing can be missing, else null.</param>
internal readonly record struct EpochBorder(StreamPosition Previous, StreamPosition Current, long? Missed);

/// <summary>Positions that have no event for a reader though nothing is missing: it has had their events at other positions.</summary>
/// <param name="From">The last position before them.</param>
/// <param name="To">The last of them.</param>
internal readonly record struct Passage(StreamPosition From, StreamPosition To);

/// <summary>What a reader is told before the next event; at least one of the three.</summary>
internal sealed record Discontinuity(Gap? Gap, EpochBorder? Border, Passage? Passed = null);
