namespace AspireStreaming.Streaming.Redis.Wire;

/// <summary>
/// A connection for commands. Answers come in the order of the commands; one that takes too long closes the connection, because nothing
/// that it says can be trusted to come. Thread-safe.
/// </summary>
internal sealed class CommandConnection : WireConnection
{
    /// <summary>
    /// Callers that go on in the thread that reads, when no more than these were answered at once: they cost it less than waking another.
    /// More of them must not hold up the answers of others.
    /// </summary>
    private const int InlineCallers = 4;

    /// <summary>A connection that has nothing to do is asked whether it is still there: a router may have forgotten it.</summary>
    private static readonly TimeSpan Idle = TimeSpan.FromSeconds(5);

    private readonly TimeSpan _timeout;
    private readonly TimeProvider _time;
    private readonly Queue<WireCall> _sent = new();
    private readonly List<WireCall> _answered = [];
    private readonly ITimer _timer;
    private long _lastAnswer;
    private int _answeredCallers;
    private bool _isDemoted;
    private bool _isRetired;

    /// <param name="settings">Where to, and as whom.</param>
    /// <param name="timeout">How long an answer may take.</param>
    /// <param name="time">The clock.</param>
    public CommandConnection(WireSettings settings, TimeSpan timeout, TimeProvider time)
        : base(settings, timeout)
    {
        _timeout = timeout;
        _time = time;
        _lastAnswer = time.GetTimestamp();

        // One look at the oldest call now and then, instead of a timer for each.
        var period = timeout / 8;
        using var suppressed = ExecutionContext.SuppressFlow();
        _timer = time.CreateTimer(static state => ((CommandConnection)state!).Check(), this, period, period);
    }

    /// <summary>Sends a command.</summary>
    /// <returns>False when the connection is closed, or too much waits to be sent already; else the call is completed or fails.</returns>
    public bool TrySend(WireCall call)
    {
        lock (Lock)
        {
            if (_isRetired || !CanWriteLocked(out var pending))
            {
                return false;
            }

            call.SentAt = _time.GetTimestamp();
            call.Write(pending);
            _sent.Enqueue(call);
        }

        Send();
        return true;
    }

    /// <summary>Takes no more commands, and closes when all are answered.</summary>
    public void Retire()
    {
        lock (Lock)
        {
            _isRetired = true;
            if (_sent.Count > 0)
            {
                return;
            }
        }

        Dispose();
    }

    protected override void OnReply(in RespReply reply)
    {
        WireCall? call;
        lock (Lock)
        {
            if (!_sent.TryDequeue(out call))
            {
                throw new InvalidDataException("Redis answered what was not asked.");
            }
        }

        _isDemoted |= reply.IsError("READONLY"u8);
        call.Take(reply);
        _answered.Add(call);
        _answeredCallers += call.Callers;
    }

    protected override void OnReplies()
    {
        if (_answered.Count == 0)
        {
            return;
        }

        Volatile.Write(ref _lastAnswer, _time.GetTimestamp());
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
        bool isDone;
        lock (Lock)
        {
            isDone = _isRetired && _sent.Count == 0;
        }

        if (isDone)
        {
            Dispose();
        }
    }

    protected override void OnClosed(Exception reason)
    {
        _timer.Dispose();
        WireCall[] sent;
        lock (Lock)
        {
            sent = [.. _sent];
            _sent.Clear();
        }

        foreach (var call in sent)
        {
            call.Fail(reason);
        }
    }

    private void Check()
    {
        if (!IsOpen)
        {
            return;
        }

        TimeSpan waiting;
        lock (Lock)
        {
            waiting = _sent.TryPeek(out var oldest) ? _time.GetElapsedTime(oldest.SentAt) : TimeSpan.Zero;
        }

        if (waiting > _timeout)
        {
            Close(new TimeoutException($"Redis did not answer within {_timeout.TotalSeconds:0.###} s."));
        }
        else if (waiting == TimeSpan.Zero && _time.GetElapsedTime(Volatile.Read(ref _lastAnswer)) > Idle)
        {
            TrySend(new Ping());
        }
    }

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
