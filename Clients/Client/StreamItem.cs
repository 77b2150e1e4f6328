namespace AspireStreaming.Client;

/// <summary>
/// What a subscription brings, in order: an event (<see cref="StreamEvent"/>), an announcement (<see cref="StreamNotice"/>), a move of
/// the cursor (<see cref="CursorMoved"/>) or a break of the connection (<see cref="ConnectionLost"/>).
/// </summary>
public abstract class StreamItem
{
    private protected StreamItem(string stream) => Stream = stream;

    /// <summary>The stream; empty when all streams of the subscription are concerned.</summary>
    public string Stream { get; }

    /// <summary>
    /// For <see cref="SubscribeOptions.ResumeToken"/>: a later subscription goes on right after this item. For one stream it is a
    /// position. Null while unknown.
    /// </summary>
    public virtual string? ResumeToken { get; internal set; }
}
