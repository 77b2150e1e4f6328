namespace AspireStreaming.TestSupport;

/// <summary>How a script ended and what it printed (the first MiB of each stream).</summary>
public sealed record NodeResult(int ExitCode, string StandardOutput, string StandardError);
