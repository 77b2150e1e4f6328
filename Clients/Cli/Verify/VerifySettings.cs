namespace AspireStreaming.Cli.Verify;

/// <summary>What to verify.</summary>
internal sealed record VerifySettings
{
    public required string Stream { get; init; }

    /// <summary>How long to wait for the archive.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long to repeat a request while the service is away.</summary>
    public TimeSpan RetryFor { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>File of JSON lines that the events' data must equal; null = none.</summary>
    public string? File { get; init; }

    /// <summary>Whether the stream may have lost its beginning to retention.</summary>
    public bool AllowTrimmed { get; init; }

    public bool Json { get; init; }

    public bool Quiet { get; init; }
}
