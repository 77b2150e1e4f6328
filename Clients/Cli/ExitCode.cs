namespace AspireStreaming.Cli;

/// <summary>Exit codes; part of the command line's contract with scripts.</summary>
internal enum ExitCode
{
    /// <summary>All well.</summary>
    Success = 0,

    /// <summary>Wrong usage, or something unexpected.</summary>
    Failure = 1,

    /// <summary>The input cannot be published or read as it is.</summary>
    BadInput = 2,

    /// <summary>The service could not be reached in the time allowed.</summary>
    Unreachable = 3,

    /// <summary>Events are missing, doubled, out of order or altered.</summary>
    VerificationFailed = 4,

    /// <summary>No such stream.</summary>
    UnknownStream = 5,

    /// <summary>Ctrl-C or SIGTERM.</summary>
    Interrupted = 130,
}
