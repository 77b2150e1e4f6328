namespace AspireStreaming.Streaming.Redis.Wire;

/// <summary>A connection for commands, whose answers come in their order. Thread-safe.</summary>
/// <param name="settings">Where to, and as whom.</param>
/// <param name="timeout">How long an answer may take.</param>
/// <param name="time">The clock.</param>
internal sealed class CommandConnection(WireSettings settings, TimeSpan timeout, TimeProvider time)
    : WireConnection(settings, timeout, Idle, time)
{
    /// <summary>
    /// Callers that go on in the thread that reads, when no more than these were answered at once: they cost it less than waking others, and
    /// less than their script cost Redis, which has the next one by then. More of them must not hold up the answers of others.
    /// </summary>
    private const int InlineCallers = 32;

    private static readonly TimeSpan Idle = TimeSpan.FromSeconds(5);

    private readonly List<WireCall> _answered = [];
    private int _answeredCallers;
    private bool _isDemoted;

    protected override void OnReply(in RespReply reply)
    {
        var call = CallOf(reply);
        _isDemoted |= reply.IsError("READONLY"u8);
        call.Take(reply);
        _answered.Add(call);
        _answeredCallers += call.Callers;
    }

    protected override void OnReplies()
    {
        if (_isDemoted)
        {
            // Before anybody hears of it and tries again.
            Close(new RedisLostException("Redis has become a replica."));
        }

        var inline = _answeredCallers <= InlineCallers;
        foreach (var call in _answered)
        {
            call.Complete(inline);
        }

        _answered.Clear();
        _answeredCallers = 0;
    }

    protected override WireCall NewPing() => new Ping();

    private sealed class Ping : WireCall
    {
        public override int Callers => 0;

        public override void Write(RespBuffer into)
        {
            into.WriteCommand(1);
            into.Write("PING"u8);
        }

        public override void Take(in RespReply reply)
        {
        }

        public override void Complete(bool inline)
        {
        }

        public override void Fail(Exception exception)
        {
        }
    }
}
