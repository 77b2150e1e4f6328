using AspireStreaming.Client;

namespace AspireStreaming.Cli.Tail;

/// <summary>What to follow and when to stop.</summary>
internal sealed record TailSettings
{
    public required string Stream { get; init; }

    public SubscribeOptions Subscription { get; init; } = new();

    public bool Json { get; init; }

    /// <summary>Stop after so many events; null = at the end of the stream.</summary>
    public long? Count { get; init; }

    /// <summary>Stop after this time; null = never.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Where the events come from, for messages.</summary>
    public required Uri Url { get; init; }

    public bool Quiet { get; init; }
}
