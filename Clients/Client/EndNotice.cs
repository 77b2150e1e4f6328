namespace AspireStreaming.Client;

/// <summary><c>stream.end</c>: the stream has ended, and everything of it was delivered.</summary>
public sealed class EndNotice : StreamNotice
{
    internal EndNotice(string stream, string json, StreamEnd end)
        : base(stream, "stream.end", json) => End = end;

    /// <summary>How it ended.</summary>
    public StreamEnd End { get; }
}
