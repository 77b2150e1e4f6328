namespace AspireStreaming.Client;

/// <summary>The cursor stands here without an event: it starts here, or events that were not asked for were passed over.</summary>
public sealed class CursorMoved : StreamItem
{
    internal CursorMoved(string stream, StreamPosition? position)
        : base(stream) => Position = position;

    /// <summary>Where; null for a subscription to several streams, whose <see cref="StreamItem.ResumeToken"/> tells all of them.</summary>
    public StreamPosition? Position { get; }
}
