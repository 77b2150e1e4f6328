namespace AspireStreaming.Cli.Publish;

/// <summary>What to publish and how.</summary>
internal sealed record PublishSettings
{
    public const int MaxLineBytes = 1024 * 1024;

    /// <summary>Below the service's 4 MiB a batch.</summary>
    public const int MaxBatchBytes = 3 * 1024 * 1024;

    public required string Stream { get; init; }

    /// <summary>The file's name without folders, a part of the ids; <c>stdin</c> for standard input.</summary>
    public required string FileName { get; init; }

    /// <summary>The type of all events; null = from each line.</summary>
    public string? FixedType { get; init; }

    /// <summary>Where a line names its type.</summary>
    public string[] TypePath { get; init; } = ["type"];

    /// <summary>Whether lines are events and not just their data.</summary>
    public bool WholeEvents { get; init; }

    /// <summary>Events a second; 0 = as fast as possible.</summary>
    public double Rate { get; init; }

    /// <summary>Most events in a request, 1 to 1000.</summary>
    public int BatchSize { get; init; } = 100;

    /// <summary>How long to repeat a request while the service is away or busy.</summary>
    public TimeSpan RetryFor { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long an incomplete batch waits for the next line of a pipe.</summary>
    public TimeSpan Linger { get; init; } = TimeSpan.FromMilliseconds(50);
}
