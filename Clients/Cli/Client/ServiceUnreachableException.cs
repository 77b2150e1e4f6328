namespace AspireStreaming.Cli.Client;

/// <summary>A service stayed away for longer than the caller wanted to try.</summary>
internal sealed class ServiceUnreachableException(string message, Exception cause) : Exception(message, cause);
