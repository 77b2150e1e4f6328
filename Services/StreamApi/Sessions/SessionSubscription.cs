using AspireStreaming.StreamApi.Connections;
using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Sessions;

/// <summary>
/// One subscription of a session. Its signal puts it into the session's queue of those that have something to do, at most once.
/// The session's loop owns the rest; listings read it as it happens to be.
/// </summary>
/// <param name="set">The session's subscriptions.</param>
/// <param name="command">What the client asked for.</param>
/// <param name="window">Its window.</param>
/// <param name="openedAt">When it was opened, a timestamp.</param>
internal sealed class SessionSubscription(SubscriptionSet set, SubscribeCommand command, SlidingWindow window, long openedAt) : ReaderSignal
{
    private int _isQueued;

    /// <summary>The client's name for it.</summary>
    public string Sub => command.Sub;

    /// <summary>What the client asked for.</summary>
    public SubscribeCommand Command => command;

    /// <summary>The stream.</summary>
    public string Stream => command.Request.Stream;

    /// <summary>Its window.</summary>
    public SlidingWindow Window => window;

    /// <summary>When it was opened, a timestamp.</summary>
    public long OpenedAt { get; } = openedAt;

    /// <summary>When something was last sent or acknowledged, a timestamp.</summary>
    public long ActiveAt { get; set; } = openedAt;

    /// <summary>The cursor that is being claimed; null when none is.</summary>
    public Task<HeldCursor>? Claiming { get; set; }

    /// <summary>Its durable cursor; null for none.</summary>
    public HeldCursor? Cursor { get; set; }

    /// <summary>Follows the stream; null before its start is known, and after its end.</summary>
    public StreamFollower? Follower { get; set; }

    /// <summary>Whether the client was told that it is open.</summary>
    public bool IsTold { get; set; }

    /// <summary>Whether nothing more is delivered; acknowledgements are still taken.</summary>
    public bool IsEnded { get; set; }

    /// <summary>Whether it waits for acknowledgements.</summary>
    public bool IsPaused { get; set; }

    /// <summary>Its name as the transport writes it; made by the transport on first use.</summary>
    public object? WrittenName { get; set; }

    /// <summary>Where it stands.</summary>
    public StreamPosition Position => Follower?.Position ?? window.Sent;

    /// <inheritdoc/>
    public override void Set()
    {
        if (Interlocked.Exchange(ref _isQueued, 1) == 0)
        {
            set.Enqueue(this);
        }
    }

    /// <summary>It was taken from the queue. A full fence: what is signalled from now on is seen by the step that follows, or queues it again.</summary>
    public void OnDequeued() => Interlocked.Exchange(ref _isQueued, 0);

    /// <summary>The client is done with everything up to a position.</summary>
    public void StoreAcknowledged(StreamPosition position)
    {
        if (!position.IsZero)
        {
            Cursor?.Acknowledge(position);
        }
    }
}
