namespace AspireStreaming.Client.Following;

/// <summary>Kinds of <see cref="SessionMessage"/>.</summary>
internal enum SessionMessageKind
{
    /// <summary>A pong, or something newer than this library.</summary>
    Other,

    Subscribed,

    Event,

    Control,

    Error,
}
