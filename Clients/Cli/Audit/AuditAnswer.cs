namespace AspireStreaming.Cli.Audit;

/// <summary>What the service answered; both null = the stream is unknown.</summary>
/// <param name="Audit">The audit.</param>
/// <param name="Refusal">Why there is none, in a sentence.</param>
internal readonly record struct AuditAnswer(StreamAudit? Audit, string? Refusal);
