namespace AspireStreaming.Client;

/// <summary>A request failed and will be repeated.</summary>
/// <param name="Fault">Why.</param>
/// <param name="Delay">After how long.</param>
public sealed record RetryNotice(Exception Fault, TimeSpan Delay);
