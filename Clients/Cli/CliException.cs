namespace AspireStreaming.Cli;

/// <summary>Ends the command with a message for the user and an exit code.</summary>
internal sealed class CliException(ExitCode exitCode, string message, Exception? innerException = null) : Exception(message, innerException)
{
    public ExitCode ExitCode { get; } = exitCode;
}
