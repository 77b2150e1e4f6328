using System.Threading.Channels;
using AspireStreaming.Archive.Cursors;
using AspireStreaming.ServiceDefaults.Auth;
using AspireStreaming.StreamApi.Connections;
using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Sessions;

/// <summary>
/// Many subscriptions on one connection, and publishes; the same on gRPC and WebSocket, which give it the form of its messages.
/// </summary>
/// <remarks>
/// 1. A reader of its own takes the client's messages, a bounded number ahead. 2. The loop of the connection deals with them, 3. writes
/// what publishes came to, and 4. lets the subscriptions that have something to do write, each as much as its window allows, one after
/// another, until the buffer is full; then it waits for the client to take that. So nothing is queued for a client that does not read:
/// neither events, which stay in the log, nor answers, because its messages are not read either.
/// </remarks>
internal abstract class Session : DeliveryConnection, IFollowerSink, IAsyncDisposable
{
    private readonly SessionServices _services;
    private readonly SessionOptions _options;
    private readonly StreamAccess _access;
    private readonly Channel<Received> _received;
    private readonly SubscriptionSet _subscriptions;
    private readonly SessionPublishes _publishes;
    private readonly CancellationTokenSource _stop;
    private Task _receiving = Task.CompletedTask;
    private SessionSubscription? _current;
    private long _now;
    private long _activeAt;
    private int _flushesWithoutWait;
    private volatile bool _inputEnded;

    protected Session(string transport, HttpContext context, SessionServices services)
        : base(transport, "", context, services.Subscriptions)
    {
        _services = services;
        _options = services.Options;
        _access = context.GetStreamAccess();
        _subscriptions = new SubscriptionSet(_options, services.Cursors, Signal);
        _received = Channel.CreateBounded<Received>(
            new BoundedChannelOptions(_options.MaxPendingCommands) { SingleReader = true, SingleWriter = true });
        _publishes = new SessionPublishes(services.Publisher, services.PublishBytes, _options, _access.Authorization, Signal.Set);
        _stop = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        _activeAt = services.Time.GetTimestamp();
    }

    /// <inheritdoc/>
    public override IReadOnlyList<StreamFollower> Followers => _subscriptions.Followers;

    /// <summary>Its subscriptions; listings may read them.</summary>
    public SubscriptionSet Subscriptions => _subscriptions;

    /// <summary>Its publishes.</summary>
    public SessionPublishes Publishes => _publishes;

    /// <summary>When something was last received or delivered, a timestamp.</summary>
    public long ActiveAt => Volatile.Read(ref _activeAt);

    /// <summary>Why no more messages of the client could be read; null while they can be, and when the client has no more.</summary>
    public Exception? InputFailure { get; private set; }

    /// <summary>Bytes that are written before the client must have taken them.</summary>
    protected virtual int BufferBytes => _options.BufferBytes;

    /// <summary>What messages are made from.</summary>
    protected SessionCommands Commands => _services.Commands;

    void IFollowerSink.WriteEvent(StreamFollower follower, EncodedEvent item)
    {
        _subscriptions.OnSent(_current!, item.Position, _now);
        WriteEvent(_current!, item);
    }

    void IFollowerSink.WriteControl(StreamFollower follower, ControlEvent control) => WriteControl(_current!.Sub, control);

    void IFollowerSink.WritePosition(StreamFollower follower, StreamPosition position)
    {
        var subscription = _current!;
        if (!subscription.IsTold)
        {
            Tell(subscription, position);
        }
        else if (subscription.Window.InFlight == 0 && subscription.Window.Acknowledged == subscription.Window.Sent)
        {
            // Only events that the client does not want lie between.
            subscription.StoreAcknowledged(position);
        }
    }

    /// <summary>Ends everything that belongs to it; positions of durable cursors are stored.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _receiving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _publishes.DisposeAsync();
        await _subscriptions.DisposeAsync();
        _stop.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Reads the client's messages and hands each to <see cref="SubmitAsync"/>, until the client has no more.</summary>
    protected abstract Task ReceiveAsync(CancellationToken cancellationToken);

    /// <summary>Writes that a subscription is open.</summary>
    protected abstract void WriteSubscribed(SessionSubscription subscription, StreamPosition position);

    /// <summary>Writes an event.</summary>
    protected abstract void WriteEvent(SessionSubscription subscription, EncodedEvent item);

    /// <summary>Writes a control event; without a name it concerns the session.</summary>
    protected abstract void WriteControl(string? sub, ControlEvent control);

    /// <summary>Writes what a publish came to.</summary>
    protected abstract void WritePublished(string sub, IReadOnlyList<PublishResult> results);

    /// <summary>Writes a fault; without a name it concerns the session.</summary>
    protected abstract void WriteError(string? sub, SessionFault fault, bool ended);

    /// <summary>Writes a pong.</summary>
    protected abstract void WritePong();

    /// <summary>Hands a message of the client to the loop; waits while the loop is too far behind.</summary>
    protected async ValueTask SubmitAsync(SessionCommand command, CancellationToken cancellationToken)
    {
        var received = new Received(command, "", default);
        if (!_received.Writer.TryWrite(received))
        {
            // Acknowledgements before it may not have been told of yet.
            Signal.Set();
            await _received.Writer.WriteAsync(received, cancellationToken);
        }

        Signal.Set();
    }

    /// <summary>
    /// Hands an acknowledgement to the loop, behind what was received before it, without waking the loop: one
    /// <see cref="Acknowledged"/> does so for all that one read brought.
    /// </summary>
    /// <param name="sub">The subscription's name, ASCII without control characters.</param>
    /// <param name="position">The position.</param>
    /// <returns>False when it must be submitted as any other message: nothing of that name is there, or the loop is too far behind.</returns>
    protected bool TryAcknowledge(ReadOnlySpan<byte> sub, StreamPosition position) =>
        _subscriptions.NameOf(sub) is { } name && _received.Writer.TryWrite(new Received(null, name, position));

    /// <summary>Tells the loop of acknowledgements.</summary>
    protected virtual void Acknowledged() => Signal.Set();

    /// <summary>
    /// Lets others have the thread now and then: a client that takes everything at once would otherwise keep it, and its own messages
    /// would go unread.
    /// </summary>
    protected async ValueTask YieldAfterAsync(bool hadToWait)
    {
        const int MaxFlushes = 16;
        _flushesWithoutWait = hadToWait ? 0 : _flushesWithoutWait + 1;
        if (_flushesWithoutWait >= MaxFlushes)
        {
            _flushesWithoutWait = 0;
            await Task.Yield();
        }
    }

    protected override void Open() => _receiving = RunReceiverAsync();

    /// <summary>Completes when the client's messages are over.</summary>
    protected Task InputEnded => _receiving;

    protected override FollowerState Step()
    {
        _now = _services.Time.GetTimestamp();
        TakeCommands();
        TakePublishes();
        StepSubscriptions();
        if (TakeDue())
        {
            OnDue();
        }

        if (_inputEnded && _received.Reader.Count == 0 && _publishes.Count == 0)
        {
            return FollowerState.Ended;
        }

        return _subscriptions.HasReady || _received.Reader.Count > 0 ? FollowerState.Busy : FollowerState.Idle;
    }

    protected override void TellPositions()
    {
        // Each event carries its own.
    }

    protected override void WriteDrain(int retryMilliseconds, string reason) =>
        WriteControl(null, ControlEvent.SessionDrain(retryMilliseconds, reason));

    private async Task RunReceiverAsync()
    {
        // The loop goes on at once; what comes in is read by another thread.
        await Task.Yield();
        try
        {
            await ReceiveAsync(_stop.Token);
        }
        catch (Exception exception)
        {
            // Whatever it was, there will be no more messages; the loop ends when it has dealt with those that came.
            InputFailure = exception;
        }

        SessionLog.InputEnded(_services.Logger, Id, InputFailure);
        _inputEnded = true;
        Signal.Set();
    }

    private void TakeCommands()
    {
        while (Pending < BufferBytes && _received.Reader.TryRead(out var received))
        {
            Volatile.Write(ref _activeAt, _now);
            switch (received.Command)
            {
                case null:
                    Acknowledge(received.Sub, received.Position);
                    break;
                case AckCommand ack:
                    Acknowledge(ack.Sub, ack.Position);
                    break;
                case SubscribeCommand subscribe:
                    Subscribe(subscribe);
                    break;
                case UnsubscribeCommand unsubscribe:
                    Unsubscribe(unsubscribe);
                    break;
                case PublishCommand publish:
                    Publish(publish);
                    break;
                case PingCommand:
                    WritePong();
                    break;
                case RefusedCommand refused:
                    Refuse(refused.Sub, refused.Fault);
                    break;
                default:
                    throw new InvalidOperationException($"No message: {received.Command}.");
            }
        }
    }

    private void TakePublishes()
    {
        while (Pending < BufferBytes && _publishes.TryTake(out var done))
        {
            var sub = done.Command.Sub;
            if (done.Results is not { } results)
            {
                SessionLog.PublishBroken(_services.Logger, Id, sub, done.Failure!);
                Refuse(sub, SessionFault.Unavailable("publish-failed", "The publish failed here; the events may have been appended."));
            }
            else if (!done.Command.IsBroadcast && results[0].Fault is { } fault)
            {
                Refuse(sub, fault);
            }
            else
            {
                WritePublished(sub, results);
            }
        }
    }

    private void StepSubscriptions()
    {
        while (Pending < BufferBytes && _subscriptions.TryDequeue(out var subscription))
        {
            StepOne(subscription);
        }
    }

    private void StepOne(SessionSubscription subscription)
    {
        _current = subscription;
        if (subscription.Cursor is { IsLost: true } lost)
        {
            Fail(subscription, SessionFault.CursorTaken(lost.Key.Name));
            return;
        }

        if (subscription.Claiming is { } claiming && !TryFinishClaim(subscription, claiming))
        {
            return;
        }

        if (subscription.Follower is not { } follower)
        {
            return;
        }

        var credit = _subscriptions.CreditOf(subscription);
        if (credit == 0)
        {
            Pause(subscription, follower);
            return;
        }

        subscription.IsPaused = false;
        var before = Pending;
        var step = follower.Step(this, credit);
        if (Pending > before)
        {
            subscription.ActiveAt = _now;
            Volatile.Write(ref _activeAt, _now);
            Count(step, follower.IsCaughtUp, Pending - before);
        }

        switch (step.State)
        {
            case FollowerState.Busy:
                subscription.Set();
                break;
            case FollowerState.Idle:
                subscription.Window.OnIdle();
                break;
            case FollowerState.Lagging:
                WriteControl(subscription.Sub, ControlEvent.Drain(subscription.Stream, NextRetryMilliseconds(), DrainReasons.Lag));
                End(subscription, DrainReasons.Lag);
                break;
            default:
                End(subscription, "the stream has ended");
                break;
        }
    }

    private void Pause(SessionSubscription subscription, StreamFollower follower)
    {
        if (!subscription.IsPaused)
        {
            subscription.IsPaused = true;
            SessionLog.Paused(_services.Logger, Id, subscription.Sub, subscription.Stream, follower.Position, subscription.Window.InFlight);
        }

        // A client that acknowledges nothing gets no step that would notice how far it is behind.
        if (follower.Request.Policy == LagPolicy.Disconnect && follower.Lag > follower.Request.Lag)
        {
            WriteControl(subscription.Sub, ControlEvent.Drain(subscription.Stream, NextRetryMilliseconds(), DrainReasons.Lag));
            End(subscription, DrainReasons.Lag);
        }
    }

    private void Acknowledge(string sub, StreamPosition position)
    {
        if (_subscriptions.Find(sub) is not { } subscription)
        {
            Refuse(sub, SessionFault.UnknownSub(sub));
            return;
        }

        var before = subscription.Window.Limit;
        _subscriptions.OnAcknowledged(subscription, position, _now);
        if (subscription.Window.Limit != before)
        {
            SessionLog.WindowChanged(_services.Logger, Id, subscription.Sub, subscription.Stream, before, subscription.Window.Limit);
        }
    }

    private void Subscribe(SubscribeCommand command)
    {
        if (IsTaken(command.Sub))
        {
            Refuse(command.Sub, SessionFault.RepeatedSub(command.Sub));
            return;
        }

        if (_subscriptions.Open >= _options.MaxSubscriptions)
        {
            Refuse(
                command.Sub,
                SessionFault.TooMany("too-many-subscriptions", $"A session has at most {_options.MaxSubscriptions} subscriptions."));
            return;
        }

        if (_services.Memory.IsExceeded)
        {
            var refusal = Refusal.MemoryLimit;
            Refuse(command.Sub, SessionFault.Unavailable(refusal.Slug, refusal.Detail, refusal.RetryAfterSeconds));
            return;
        }

        if (!_access.CanSubscribe(command.Request.Stream))
        {
            Refuse(command.Sub, SessionFault.Forbidden(AccessRefusal.Forbidden(command.Request.Stream, "subscribe").Detail));
            return;
        }

        var window = command.Window is { } size
            ? SlidingWindow.Fixed(size)
            : SlidingWindow.Adaptive(_options, _services.Time.TimestampFrequency);
        var subscription = new SessionSubscription(_subscriptions, command, window, _now);
        _subscriptions.Add(subscription);
        if (command.Cursor is null)
        {
            Follow(subscription, command.Request);
            return;
        }

        subscription.Claiming = _services.Cursors.HoldAsync(
            new CursorKey(_access.Subject ?? "", command.Cursor, command.Request.Stream), subscription.Set, _stop.Token);
        subscription.Claiming.GetAwaiter().UnsafeOnCompleted(subscription.Set);
    }

    /// <summary>Begins to follow once the cursor is known.</summary>
    private bool TryFinishClaim(SessionSubscription subscription, Task<HeldCursor> claiming)
    {
        if (!claiming.IsCompleted)
        {
            return false;
        }

        subscription.Claiming = null;
        if (!claiming.IsCompletedSuccessfully)
        {
            // It failed for one reason only, or the session is over; observing the exception is all that is left of it.
            var detail = claiming.Exception?.InnerException?.Message ?? "The claim was given up.";
            Fail(subscription, SessionFault.Unavailable("cursors-unavailable", detail));
            return false;
        }

        var cursor = claiming.GetAwaiter().GetResult();
        subscription.Cursor = cursor;
        if (cursor.IsLost)
        {
            Fail(subscription, SessionFault.CursorTaken(cursor.Key.Name));
            return false;
        }

        var request = subscription.Command.Request;
        if (!subscription.Command.IsFromGiven && cursor.Start is { } start)
        {
            request = request with { From = new StartFrom(StartKind.Position, start) };
        }

        Follow(subscription, request);
        return true;
    }

    private void Follow(SessionSubscription subscription, SubscriptionRequest request)
    {
        var follower = _services.Followers.TryCreate(request, _stop.Token);
        if (follower is null)
        {
            Fail(subscription, SessionFault.Unavailable("too-many-streams", "This replica follows as many streams as it may.", 5));
            return;
        }

        _subscriptions.Attach(subscription, follower);
        if (follower.Open(subscription) is { } position)
        {
            Tell(subscription, position);
        }

        subscription.Set();
    }

    private void Tell(SessionSubscription subscription, StreamPosition position)
    {
        if (!subscription.IsTold)
        {
            subscription.IsTold = true;
            WriteSubscribed(subscription, position);
            SessionLog.Subscribed(_services.Logger, Id, subscription.Sub, subscription.Stream, position, subscription.Window.Limit);
        }
    }

    private void Unsubscribe(UnsubscribeCommand command)
    {
        if (_subscriptions.Find(command.Sub) is { } subscription)
        {
            SessionLog.Unsubscribed(_services.Logger, Id, subscription.Sub, subscription.Stream, "the client unsubscribed");
            _subscriptions.Remove(subscription);
        }
        else
        {
            Refuse(command.Sub, SessionFault.UnknownSub(command.Sub));
        }
    }

    private void Publish(PublishCommand command)
    {
        if (IsTaken(command.Sub))
        {
            Refuse(command.Sub, SessionFault.RepeatedSub(command.Sub));
        }
        else if (_publishes.Begin(command) is { } fault)
        {
            Refuse(command.Sub, fault);
        }
    }

    private void Refuse(string? sub, SessionFault fault)
    {
        SessionLog.Refused(_services.Logger, Id, fault.Status, sub, fault.Detail);
        WriteError(sub, fault, ended: false);
    }

    /// <summary>A subscription ends by a fault.</summary>
    private void Fail(SessionSubscription subscription, SessionFault fault)
    {
        SessionLog.Unsubscribed(_services.Logger, Id, subscription.Sub, subscription.Stream, fault.Detail);
        WriteError(subscription.Sub, fault, ended: true);
        _subscriptions.Remove(subscription);
    }

    private void End(SessionSubscription subscription, string reason)
    {
        SessionLog.Unsubscribed(_services.Logger, Id, subscription.Sub, subscription.Stream, reason);
        _subscriptions.End(subscription);
    }

    private bool IsTaken(string sub) => _subscriptions.Find(sub) is { IsEnded: false } || _publishes.Contains(sub);

    private void OnDue()
    {
        foreach (var subscription in _subscriptions.All)
        {
            if (subscription is { IsTold: true, Follower: { PositionOwedSince: not 0 } follower })
            {
                _current = subscription;
                follower.TryTellPosition(this);
            }
        }

        if (_services.Time.GetElapsedTime(_activeAt, _now) >= _options.IdleTimeout)
        {
            Drain(DrainReasons.Idle);
        }
    }
}
