namespace AspireStreaming.Client;

/// <summary>
/// <c>stream.passed</c>: positions without an event for this subscriber, and nothing is missing: their events were put back late after a
/// loss of data, and it has had them where they stood first.
/// </summary>
public sealed class PassedNotice : StreamNotice
{
    internal PassedNotice(string stream, string json, StreamPosition from, StreamPosition to)
        : base(stream, "stream.passed", json)
    {
        From = from;
        To = to;
    }

    /// <summary>The last position before them.</summary>
    public StreamPosition From { get; }

    /// <summary>The last of them.</summary>
    public StreamPosition To { get; }
}
