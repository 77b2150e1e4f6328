namespace AspireStreaming.Cli.Tail;

/// <summary>What to follow and when to stop.</summary>
internal sealed record TailSettings
{
    public required string Stream { get; init; }

    public string From { get; init; } = "start";

    public string? Types { get; init; }

    public bool Json { get; init; }

    /// <summary>Stop after so many events; null = at the end of the stream.</summary>
    public long? Count { get; init; }

    /// <summary>Stop after this time; null = never.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>How long to try for the first connection.</summary>
    public TimeSpan RetryFor { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Whether holes and duplicates are errors.</summary>
    public bool Check { get; init; } = true;

    public bool Quiet { get; init; }
}
