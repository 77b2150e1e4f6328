namespace AspireStreaming.Client;

/// <summary><c>stream.caught-up</c>: the cursor has first reached the tail; what follows is live.</summary>
public sealed class CaughtUpNotice : StreamNotice
{
    internal CaughtUpNotice(string stream, string json, StreamPosition? position)
        : base(stream, "stream.caught-up", json) => Position = position;

    /// <summary>The tail.</summary>
    public StreamPosition? Position { get; }
}
