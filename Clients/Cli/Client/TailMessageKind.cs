namespace AspireStreaming.Cli.Client;

/// <summary>Kinds of <see cref="TailMessage"/>.</summary>
internal enum TailMessageKind
{
    /// <summary>A delivered event.</summary>
    Event,

    /// <summary>A control event, <c>stream.*</c>.</summary>
    Control,

    /// <summary>The cursor moved without an event: it starts here, or events were filtered out.</summary>
    Cursor,

    /// <summary>The connection ended; another attempt follows after the delay.</summary>
    Interrupted,

    /// <summary>The stream has ended and everything was delivered. The last message.</summary>
    Ended,
}
