namespace AspireStreaming.Cli;

/// <summary>Whoever read our standard output has left, as <c>head</c> does when it has enough.</summary>
internal sealed class OutputClosedException(IOException cause) : Exception(cause.Message, cause);
