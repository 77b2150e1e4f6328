namespace AspireStreaming.Client;

/// <summary>How a stream is followed.</summary>
public sealed record SubscribeOptions
{
    /// <summary>Where to start; default the beginning. With <see cref="Cursor"/>, null goes on where the cursor stands.</summary>
    public StartAt? From { get; init; }

    /// <summary>
    /// Goes on after an item of an earlier subscription (<see cref="StreamItem.ResumeToken"/>), whatever <see cref="From"/> says.
    /// </summary>
    public string? ResumeToken { get; init; }

    /// <summary>Only events of these types; empty = all.</summary>
    public IReadOnlyCollection<string> Types { get; init; } = [];

    /// <summary>What happens when this subscriber falls behind. Default: it catches up and misses nothing.</summary>
    public DeliveryPolicy Policy { get; init; }

    /// <summary>For <c>Drop</c> and <c>Disconnect</c>: events to be behind at most, 1 to 1,000,000; null = the service's 1,000.</summary>
    public int? Lag { get; init; }

    /// <summary>How the events travel. Default: server-sent events.</summary>
    public StreamTransport Transport { get; init; }

    /// <summary>
    /// Name of a durable cursor: the service keeps the position under it, and the next subscription of that name goes on there. An
    /// event is acknowledged when the one after it is asked for. WebSocket only.
    /// </summary>
    public string? Cursor { get; init; }

    /// <summary>
    /// For WebSocket: most events unacknowledged; 0 = no acknowledgements. Null: the service adapts it to what the subscriber takes.
    /// </summary>
    public int? Window { get; init; }

    /// <summary>
    /// Told of everything that is not an event by <c>SubscribeAsync</c>. Without it, events that are announced as missing end the
    /// enumeration with an <see cref="EventsMissingException"/>: nothing is ever lost in silence.
    /// </summary>
    public Action<StreamItem>? OnNotice { get; init; }

    /// <summary>
    /// Whether positions are checked: in an epoch each must be the last plus one, or the hole announced. Default true; a violation ends
    /// the enumeration with a <see cref="ContinuityException"/>.
    /// </summary>
    public bool CheckContinuity { get; init; } = true;

    /// <summary>How long to try for the first connection; null = <see cref="StreamingClientOptions.ConnectWithin"/>.</summary>
    public TimeSpan? ConnectWithin { get; init; }
}
