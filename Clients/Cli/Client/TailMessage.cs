namespace AspireStreaming.Cli.Client;

/// <summary>What a tail has to say. <see cref="Data"/> is valid until the next message.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Name">Type of the event, or name of the control event.</param>
/// <param name="Data">The delivered event or the control event's JSON.</param>
/// <param name="Position">Where the cursor stands after it; null while unknown.</param>
/// <param name="Delay">Before the next attempt, when the connection broke.</param>
/// <param name="Fault">Why it broke; null when the server closed it.</param>
internal readonly record struct TailMessage(
    TailMessageKind Kind,
    string Name = "",
    ReadOnlyMemory<byte> Data = default,
    StreamPosition? Position = null,
    TimeSpan Delay = default,
    Exception? Fault = null);
