namespace AspireStreaming.Client;

/// <summary><c>stream.drain</c>: the service ends this connection; the subscription goes on by itself, elsewhere if there is another replica.</summary>
public sealed class DrainNotice : StreamNotice
{
    internal DrainNotice(string stream, string json, TimeSpan? retryAfter, string? reason)
        : base(stream, "stream.drain", json)
    {
        RetryAfter = retryAfter;
        Reason = reason;
    }

    /// <summary>When to come back.</summary>
    public TimeSpan? RetryAfter { get; }

    /// <summary>For instance <c>shutdown</c> or <c>lag</c>.</summary>
    public string? Reason { get; }
}
