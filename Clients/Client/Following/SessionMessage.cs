namespace AspireStreaming.Client.Following;

/// <summary>A message of the service in a session, as far as a subscription looks at it.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Body">The event, or the control's data; valid until the next message.</param>
/// <param name="Name">The control's name.</param>
/// <param name="Position">Where the subscription starts.</param>
/// <param name="Status">The error's status.</param>
/// <param name="Title">The error in short.</param>
/// <param name="Detail">The error in long.</param>
/// <param name="Problem">The error's stable identifier.</param>
/// <param name="RetryAfter">When to try again, in seconds; 0 = not said.</param>
internal readonly record struct SessionMessage(
    SessionMessageKind Kind,
    ReadOnlyMemory<byte> Body = default,
    string Name = "",
    StreamPosition? Position = null,
    int Status = 0,
    string? Title = null,
    string? Detail = null,
    string? Problem = null,
    int RetryAfter = 0);
