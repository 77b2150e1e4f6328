using System.Collections.Concurrent;
using System.Text;

namespace AspireStreaming.Streaming.Redis.Wire;

/// <summary>A connection for messages. It is asked every few seconds whether it is still there. Thread-safe.</summary>
internal sealed class SubscriberConnection : WireConnection
{
    /// <summary>Channels in one command.</summary>
    private const int MaxChannels = 500;

    /// <summary>Longest name of a channel.</summary>
    private const int MaxName = 512;

    /// <summary>
    /// Of the subscribers that got something at once, those that are served in the thread that reads: that costs less than to wake
    /// another. What comes meanwhile waits for them, so the others go elsewhere.
    /// </summary>
    private const int InlineSubscribers = 16;

    private static readonly TimeSpan Idle = TimeSpan.FromSeconds(2);

    private readonly ConcurrentDictionary<string, IWireSubscriber>.AlternateLookup<ReadOnlySpan<char>> _subscribers;
    private readonly TimeSpan _timeout;
    private readonly TimeProvider _time;
    private readonly Queue<Command> _sent = new();
    private readonly HashSet<IWireSubscriber> _woken = [];
    private readonly ITimer _timer;
    private long _lastReceived;

    /// <param name="settings">Where to, and as whom.</param>
    /// <param name="subscribers">By channel, who receives.</param>
    /// <param name="timeout">How long an answer may take.</param>
    /// <param name="time">The clock.</param>
    public SubscriberConnection(WireSettings settings, ConcurrentDictionary<string, IWireSubscriber> subscribers, TimeSpan timeout, TimeProvider time)
        : base(settings, timeout)
    {
        _subscribers = subscribers.GetAlternateLookup<ReadOnlySpan<char>>();
        _timeout = timeout;
        _time = time;
        _lastReceived = time.GetTimestamp();
        using var suppressed = ExecutionContext.SuppressFlow();
        _timer = time.CreateTimer(static state => ((SubscriberConnection)state!).Check(), this, timeout / 4, timeout / 4);
    }

    /// <summary>Subscribes; completes when Redis has confirmed all.</summary>
    /// <exception cref="RedisLostException">The connection is closed.</exception>
    /// <exception cref="RedisErrorException">Redis refuses.</exception>
    /// <exception cref="TimeoutException">It did not answer.</exception>
    public async Task SubscribeAsync(IEnumerable<string> channels)
    {
        foreach (var some in channels.Chunk(MaxChannels))
        {
            await CommandAsync("SUBSCRIBE", some).ConfigureAwait(false);
        }
    }

    /// <summary>Unsubscribes.</summary>
    /// <inheritdoc cref="SubscribeAsync" path="/exception"/>
    public Task UnsubscribeAsync(string channel) => CommandAsync("UNSUBSCRIBE", [channel]);

    protected override void OnReply(in RespReply reply)
    {
        if (reply.Kind == RespKind.Array && reply.Count == 3)
        {
            RespReply.TryRead(reply.Value, out var kind, out var length);
            if (kind.Value.SequenceEqual("message"u8))
            {
                RespReply.TryRead(reply.Value[length..], out var channel, out var more);
                RespReply.TryRead(reply.Value[(length + more)..], out var message, out _);
                OnMessage(channel.Value, message.Value);
                return;
            }
        }

        Command? command;
        lock (Lock)
        {
            if (!_sent.TryPeek(out command))
            {
                throw new InvalidDataException("Redis answered what was not asked.");
            }

            if (reply.Kind == RespKind.Error || --command.Unconfirmed <= 0)
            {
                _sent.Dequeue();
            }
            else
            {
                command = null;
            }
        }

        if (reply.Kind == RespKind.Error)
        {
            command!.TrySetException(new RedisErrorException(reply.Text));
        }
        else
        {
            command?.TrySetResult();
        }
    }

    protected override void OnReplies()
    {
        Volatile.Write(ref _lastReceived, _time.GetTimestamp());
        // Those first who are served elsewhere, at the same time.
        if (_woken.Count > InlineSubscribers)
        {
            Serve(inline: false);
        }

        Serve(inline: true);
        _woken.Clear();
    }

    protected override void OnClosed(Exception reason)
    {
        _timer.Dispose();
        Command[] sent;
        lock (Lock)
        {
            sent = [.. _sent];
            _sent.Clear();
        }

        foreach (var command in sent)
        {
            command.TrySetException(reason);
        }
    }

    private void Serve(bool inline)
    {
        var place = 0;
        foreach (var subscriber in _woken)
        {
            if (place++ < InlineSubscribers == inline)
            {
                subscriber.OnReceived(inline);
            }
        }
    }

    private void OnMessage(ReadOnlySpan<byte> channel, ReadOnlySpan<byte> message)
    {
        Span<char> name = stackalloc char[MaxName];
        if (Encoding.UTF8.TryGetChars(channel, name, out var length)
            && _subscribers.TryGetValue(name[..length], out var subscriber) && subscriber.OnMessage(Received(message)))
        {
            _woken.Add(subscriber);
        }
    }

    private Task CommandAsync(string name, string[] channels)
    {
        var command = new Command { Unconfirmed = channels.Length, SentAt = _time.GetTimestamp() };
        lock (Lock)
        {
            if (!CanWriteLocked(out var pending))
            {
                return Task.FromException(new RedisLostException("The connection for messages is closed."));
            }

            pending.WriteCommand(1 + channels.Length);
            pending.Write(name);
            Array.ForEach(channels, pending.Write);
            _sent.Enqueue(command);
        }

        Send();
        return command.Task;
    }

    private void Check()
    {
        if (!IsOpen)
        {
            return;
        }

        TimeSpan? waiting;
        lock (Lock)
        {
            waiting = _sent.TryPeek(out var oldest) ? _time.GetElapsedTime(oldest.SentAt) : null;
        }

        if (waiting > _timeout)
        {
            Close(new TimeoutException($"Redis did not answer within {_timeout.TotalSeconds:0.###} s."));
        }
        else if (waiting is null && _time.GetElapsedTime(Volatile.Read(ref _lastReceived)) > Idle)
        {
            _ = CommandAsync("PING", []).ContinueWith(
                static ping => _ = ping.Exception, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
    }

    private sealed class Command() : TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        /// <summary>Answers that are still to come.</summary>
        public int Unconfirmed { get; set; }

        public long SentAt { get; init; }
    }
}
