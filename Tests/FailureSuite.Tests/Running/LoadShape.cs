namespace AspireStreaming.FailureSuite.Tests.Running;

/// <summary>How much load a run makes.</summary>
internal sealed record LoadShape
{
    /// <summary>Number of streams.</summary>
    public int Streams { get; init; } = 4;

    /// <summary>The time between two batches of a publisher.</summary>
    public TimeSpan PublishInterval { get; init; } = TimeSpan.FromMilliseconds(20);

    /// <summary>The time between two looks at what is still missing, when the load has ended.</summary>
    public TimeSpan PollPause { get; init; } = TimeSpan.FromMilliseconds(150);

    /// <summary>The type of the event that ends each stream; null where streams go on.</summary>
    public string? EndType { get; init; }
}
