namespace AspireStreaming.Cli.Audit;

/// <summary>What to audit.</summary>
internal sealed record AuditSettings
{
    /// <summary>The stream; null = all.</summary>
    public string? Stream { get; init; }

    /// <summary>How long one answer may take, and how long to ask again while the service is away.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(2);

    public bool Json { get; init; }

    public bool Quiet { get; init; }
}
