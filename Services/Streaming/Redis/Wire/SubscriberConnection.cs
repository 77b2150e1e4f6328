using System.Collections.Concurrent;
using System.Text;

namespace AspireStreaming.Streaming.Redis.Wire;

/// <summary>A connection for messages. Thread-safe.</summary>
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
    private readonly HashSet<IWireSubscriber> _woken = [];

    /// <param name="settings">Where to, and as whom.</param>
    /// <param name="subscribers">By channel, who receives.</param>
    /// <param name="timeout">How long an answer may take.</param>
    /// <param name="time">The clock.</param>
    public SubscriberConnection(WireSettings settings, ConcurrentDictionary<string, IWireSubscriber> subscribers, TimeSpan timeout, TimeProvider time)
        : base(settings, timeout, Idle, time) =>
        _subscribers = subscribers.GetAlternateLookup<ReadOnlySpan<char>>();

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

        CallOf(reply).Take(reply);
    }

    protected override void OnReplies()
    {
        // Those first who are served elsewhere, at the same time.
        if (_woken.Count > InlineSubscribers)
        {
            Serve(inline: false);
        }

        Serve(inline: true);
        _woken.Clear();
    }

    protected override WireCall NewPing() => new Command("PING", []);

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
        var command = new Command(name, channels);
        return TrySend(command) ? command.Task : Task.FromException(new RedisLostException("The connection for messages is closed."));
    }

    /// <summary>Answered once for each channel.</summary>
    private sealed class Command : WireCall
    {
        private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly string _name;
        private readonly string[] _channels;

        public Command(string name, string[] channels)
        {
            _name = name;
            _channels = channels;
            Replies = Math.Max(channels.Length, 1);
        }

        public Task Task => _done.Task;

        public override int Callers => 1;

        public override void Write(RespBuffer into)
        {
            into.WriteCommand(1 + _channels.Length);
            into.Write(_name);
            Array.ForEach(_channels, into.Write);
        }

        public override void Take(in RespReply reply)
        {
            if (reply.Kind == RespKind.Error)
            {
                Fail(new RedisErrorException(reply.Text));
            }
            else if (Replies <= 0)
            {
                _done.TrySetResult();
            }
        }

        public override void Complete(bool inline)
        {
        }

        public override void Fail(Exception exception)
        {
            _done.TrySetException(exception);

            // Nobody waits for a ping.
            _ = _done.Task.Exception;
        }
    }
}
