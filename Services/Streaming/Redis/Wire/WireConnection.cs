using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace AspireStreaming.Streaming.Redis.Wire;

/// <summary>
/// A connection to Redis for the two paths where every hand-over between threads counts. Whoever sends writes to the socket itself, and
/// what others want to send meanwhile goes along; one thread of its own reads, blocked in the system call, so that an answer wakes that
/// thread and nothing else. An answer that takes too long closes it, because nothing that it says can be trusted to come; with nothing to
/// do it is asked whether it is still there: a router may have forgotten it. Thread-safe.
/// </summary>
internal abstract class WireConnection : IThreadPoolWorkItem, IDisposable
{
    /// <summary>Most bytes that wait to be sent.</summary>
    private const int MaxPendingBytes = 64 << 20;

    /// <summary>How often the thread that sends sends for others, before the thread pool does.</summary>
    private const int MaxTurns = 4;

    /// <summary>
    /// Most bytes without an answer with which a caller sends itself. A socket takes them without waiting, whether Redis reads or not; with
    /// more it may be full, and then a thread of the pool waits, not one on which connections depend.
    /// </summary>
    private const int MaxUnansweredBytes = 64 << 10;

    private const int ReceiveBytes = 16 << 10;

    /// <summary>Most bytes of one reply.</summary>
    private const int MaxReceivedBytes = 128 << 20;

    private readonly WireSettings _settings;
    private readonly TimeSpan _timeout;
    private readonly TimeSpan _idle;
    private readonly TimeProvider _time;
    private readonly Queue<WireCall> _sent = new();
    private readonly ITimer _timer;
    private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<Exception> _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _lock = new();
    private RespBuffer _pending = new();
    private RespBuffer _spare = new();
    private Socket? _socket;
    private byte[] _received = new byte[ReceiveBytes];
    private long _lastReceived;
    private long _unanswered;
    private int _start;
    private int _end;
    private bool _isSending;
    private bool _isOpen;
    private bool _isRetired;
    private bool _isClosed;

    /// <param name="settings">Where to, and as whom.</param>
    /// <param name="timeout">How long opening may take, sending, and an answer.</param>
    /// <param name="idle">After how long a silence it is asked whether it is still there.</param>
    /// <param name="time">The clock.</param>
    protected WireConnection(WireSettings settings, TimeSpan timeout, TimeSpan idle, TimeProvider time)
    {
        _settings = settings;
        _timeout = timeout;
        _idle = idle;
        _time = time;
        _lastReceived = time.GetTimestamp();

        // One look at the oldest call now and then, instead of a timer for each.
        var period = timeout / 8;
        using var suppressed = ExecutionContext.SuppressFlow();
        _timer = time.CreateTimer(static state => ((WireConnection)state!).Check(), this, period, period);
    }

    /// <summary>Completes when it is closed, with the reason; never fails.</summary>
    public Task<Exception> Closed => _closed.Task;

    /// <summary>Whether it takes commands.</summary>
    public bool IsOpen => Volatile.Read(ref _isOpen);

    /// <summary>Of the process of Redis at the other end, its <c>run_id</c>.</summary>
    public string RunId { get; private set; } = "";

    /// <summary>Whether that was a master when the connection was opened.</summary>
    public bool IsMaster { get; private set; }

    /// <summary>A field of what <c>INFO</c> tells.</summary>
    public static string? Field(string info, string name) =>
        info.Split('\n').FirstOrDefault(line => line.StartsWith(name, StringComparison.Ordinal))?[name.Length..].Trim();

    /// <summary>Connects and introduces itself.</summary>
    /// <exception cref="TimeoutException">It took too long.</exception>
    /// <exception cref="RedisErrorException">Redis refuses.</exception>
    /// <exception cref="RedisLostException">There is nobody.</exception>
    public async Task OpenAsync(CancellationToken cancellationToken)
    {
        new Thread(Read) { IsBackground = true, Name = $"Redis {_settings.ClientName} {GetType().Name}" }.UnsafeStart();
        try
        {
            await _opened.Task.WaitAsync(_timeout, _time, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Sends a command.</summary>
    /// <returns>False when the connection is closed, or too much waits to be sent already; else the call is completed or fails.</returns>
    public bool TrySend(WireCall call)
    {
        lock (_lock)
        {
            if (!_isOpen || _isRetired || _pending.Length >= MaxPendingBytes)
            {
                return false;
            }

            call.SentAt = _time.GetTimestamp();
            var before = _pending.Length;
            call.Write(_pending);
            call.Bytes = _pending.Length - before;
            _unanswered += call.Bytes;
            _sent.Enqueue(call);
            if (_isSending)
            {
                return true;
            }

            _isSending = true;
        }

        Drain(mayWait: false);
        return true;
    }

    /// <summary>Takes no more commands, and closes when all are answered.</summary>
    public void Retire()
    {
        lock (_lock)
        {
            _isRetired = true;
        }

        CloseIfRetired();
    }

    /// <summary>Closes it; what waits for an answer fails.</summary>
    public void Dispose() => Close(new RedisLostException("The connection to Redis was closed."));

    void IThreadPoolWorkItem.Execute() => Drain(mayWait: true);

    /// <summary>Closes it for a reason; again is no error.</summary>
    protected void Close(Exception reason)
    {
        Socket? socket;
        WireCall[] sent;
        lock (_lock)
        {
            if (_isClosed)
            {
                return;
            }

            _isClosed = true;
            Volatile.Write(ref _isOpen, false);
            socket = _socket;
            sent = [.. _sent];
            _sent.Clear();
        }

        // Wakes the thread that reads.
        Dispose(socket);
        _timer.Dispose();
        _opened.TrySetException(reason);
        foreach (var call in sent)
        {
            call.Fail(reason);
        }

        _closed.TrySetResult(reason);
    }

    /// <summary>The call that a reply belongs to.</summary>
    /// <exception cref="InvalidDataException">There is none.</exception>
    protected WireCall CallOf(in RespReply reply)
    {
        lock (_lock)
        {
            if (!_sent.TryPeek(out var call))
            {
                throw new InvalidDataException("Redis answered what was not asked.");
            }

            call.Replies--;
            if (call.Replies <= 0 || reply.Kind == RespKind.Error)
            {
                _sent.Dequeue();
                _unanswered -= call.Bytes;
            }

            return call;
        }
    }

    /// <summary>A command that asks for nothing but an answer.</summary>
    protected abstract WireCall NewPing();

    /// <summary>A reply; valid during the call only.</summary>
    protected abstract void OnReply(in RespReply reply);

    /// <summary>All that was received has been given to <see cref="OnReply"/>; also when it ended in something that is no reply.</summary>
    protected abstract void OnReplies();

    /// <summary>The same part of what was received, in the form in which it can be handed on; valid as long.</summary>
    protected ReadOnlyMemory<byte> Received(ReadOnlySpan<byte> part) =>
        _received.AsSpan().Overlaps(part, out var start) ? _received.AsMemory(start, part.Length) : default;

    private static void Dispose(Socket? socket)
    {
        try
        {
            socket?.Shutdown(SocketShutdown.Both);
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // It was not connected, or is not any more.
        }

        socket?.Dispose();
    }

    private static RedisLostException Lost(Exception? cause) => new("The connection to Redis was lost.", cause);

    /// <summary>Sends what there is to send.</summary>
    /// <param name="mayWait">Whether this thread may wait for a full socket.</param>
    private void Drain(bool mayWait)
    {
        for (var turn = 0; ; turn++)
        {
            RespBuffer sending;
            lock (_lock)
            {
                if (_pending.Length == 0 || _isClosed)
                {
                    _isSending = false;
                    return;
                }

                if (turn < MaxTurns && (mayWait || _unanswered <= MaxUnansweredBytes))
                {
                    sending = _pending;
                    _pending = _spare;
                }
                else
                {
                    // Whoever sends has something else to do as well, or must not wait.
                    sending = null!;
                }
            }

            if (sending is null)
            {
                ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
                return;
            }

            try
            {
                SendAll(sending.Written);
            }
            catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
            {
                Close(Lost(exception));
            }

            sending.Clear();
            _spare = sending;
        }
    }

    private void SendAll(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            bytes = bytes[_socket!.Send(bytes)..];
        }
    }

    /// <summary>The thread that reads, from the first to the last.</summary>
    private void Read()
    {
        try
        {
            Connect();
            Introduce();
            lock (_lock)
            {
                Volatile.Write(ref _isOpen, !_isClosed);
            }

            _opened.TrySetResult();
            while (true)
            {
                try
                {
                    while (RespReply.TryRead(_received.AsSpan(_start, _end - _start), out var reply, out var length))
                    {
                        OnReply(reply);
                        _start += length;
                    }
                }
                finally
                {
                    OnReplies();
                }

                CloseIfRetired();
                Receive();
                Volatile.Write(ref _lastReceived, _time.GetTimestamp());
            }
        }
        catch (Exception exception) when (exception is RedisErrorException or RedisLostException)
        {
            Close(exception);
        }
        catch (Exception exception)
        {
            // Whatever it was: what waits for an answer must hear of it.
            Close(Lost(exception));
        }
    }

    /// <summary>Closes what takes no more commands, once all are answered.</summary>
    private void CloseIfRetired()
    {
        lock (_lock)
        {
            if (!_isRetired || _sent.Count > 0)
            {
                return;
            }
        }

        Dispose();
    }

    private void Check()
    {
        if (!IsOpen)
        {
            return;
        }

        TimeSpan? waiting;
        lock (_lock)
        {
            waiting = _sent.TryPeek(out var oldest) ? _time.GetElapsedTime(oldest.SentAt) : null;
        }

        if (waiting > _timeout)
        {
            Close(new TimeoutException($"Redis did not answer within {_timeout.TotalSeconds:0.###} s."));
        }
        else if (waiting is null && _time.GetElapsedTime(Volatile.Read(ref _lastReceived)) > _idle)
        {
            TrySend(NewPing());
        }
    }

    private void Connect()
    {
        var endPoint = _settings.EndPoint is DnsEndPoint name
            ? new IPEndPoint(Dns.GetHostAddresses(name.Host, name.AddressFamily)[0], name.Port)
            : _settings.EndPoint;
        var socket = endPoint.AddressFamily == AddressFamily.Unix
            ? new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)
            : new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };

        // Nothing asynchronous is ever done with the socket: the runtime would make it non-blocking for good. The time-out holds for
        // connecting as well.
        socket.SendTimeout = (int)_timeout.TotalMilliseconds;
        lock (_lock)
        {
            if (_isClosed)
            {
                socket.Dispose();
                throw Lost(null);
            }

            _socket = socket;
        }

        socket.Connect(endPoint);
    }

    private void Introduce()
    {
        var commands = new List<string[]>();
        if (_settings.Password is not null)
        {
            commands.Add(_settings.User is null ? ["AUTH", _settings.Password] : ["AUTH", _settings.User, _settings.Password]);
        }

        commands.Add(["CLIENT", "SETNAME", _settings.ClientName]);
        if (_settings.Database != 0)
        {
            commands.Add(["SELECT", _settings.Database.ToString(CultureInfo.InvariantCulture)]);
        }

        commands.Add(["INFO", "server"]);
        commands.Add(["INFO", "replication"]);
        var request = new RespBuffer();
        foreach (var command in commands)
        {
            request.WriteCommand(command.Length);
            Array.ForEach(command, request.Write);
        }

        SendAll(request.Written);
        foreach (var command in commands)
        {
            var reply = Answer();
            if (reply.Kind == RespKind.Error && command[0] != "CLIENT")
            {
                throw new RedisErrorException(reply.Text);
            }

            if (command[0] == "INFO")
            {
                var info = Encoding.UTF8.GetString(reply.Value);
                RunId = Field(info, "run_id:") ?? RunId;
                IsMaster = Field(info, "role:") == "master";
            }
        }
    }

    private RespReply Answer()
    {
        while (true)
        {
            if (RespReply.TryRead(_received.AsSpan(_start, _end - _start), out var reply, out var length))
            {
                _start += length;
                return reply;
            }

            Receive();
        }
    }

    /// <summary>Waits for more, behind what is not yet whole.</summary>
    private void Receive()
    {
        if (_start == _end)
        {
            _start = _end = 0;
            if (_received.Length > ReceiveBytes)
            {
                _received = new byte[ReceiveBytes];
            }
        }
        else if (_received.Length - _end < ReceiveBytes / 4)
        {
            var held = _end - _start;
            if (held > MaxReceivedBytes)
            {
                throw new InvalidDataException("A reply of Redis is too large.");
            }

            var room = held > _received.Length / 2 ? new byte[2 * _received.Length] : _received;
            _received.AsSpan(_start, held).CopyTo(room);
            _received = room;
            _start = 0;
            _end = held;
        }

        var count = _socket!.Receive(_received.AsSpan(_end));
        if (count == 0)
        {
            throw Lost(null);
        }

        _end += count;
    }
}
