using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;

namespace AspireStreaming.Transport;

/// <summary>
/// A connection that an <see cref="EventLoop"/> serves: what it receives is handed on in the loop's thread, what is to be sent is sent
/// by whoever flushes it. Thread-safe where <see cref="ConnectionContext"/> is.
/// </summary>
internal sealed class EventLoopConnection
    : ConnectionContext, IConnectionIdFeature, IConnectionItemsFeature, IConnectionTransportFeature, IConnectionLifetimeFeature,
      IConnectionEndPointFeature, IConnectionSocketFeature, IMemoryPoolFeature
{
    private static readonly Type[] OwnFeatures =
    [
        typeof(IConnectionIdFeature), typeof(IConnectionItemsFeature), typeof(IConnectionTransportFeature), typeof(IConnectionLifetimeFeature),
        typeof(IConnectionEndPointFeature), typeof(IConnectionSocketFeature), typeof(IMemoryPoolFeature),
    ];

    /// <summary>Stands where one would wait, when those who wait have been told.</summary>
    private static readonly TaskCompletionSource Done = new();

    /// <summary>From anywhere, so that the ids of one run are not those of the next.</summary>
    private static long _lastId = Random.Shared.NextInt64(long.MaxValue >> 8);

    private readonly Socket _socket;
    private readonly Pipe _input;
    private readonly SocketPipeWriter _output;
    private readonly CancellationTokenSource _closed = new();
    private IDictionary<object, object?>? _items;
    private EventLoop? _loop;
    private long _token;
    private TaskCompletionSource? _told;
    private ConnectionAbortedException? _abortReason;
    private int _wanted;
    private int _isClosed;
    private volatile bool _mayHaveEnded;

    /// <summary>Creates it; nothing is received yet.</summary>
    /// <param name="socket">Connected and not blocking; it belongs to the connection.</param>
    /// <param name="options">Of the pipe for what is received, both of whose ends run inline.</param>
    public EventLoopConnection(Socket socket, PipeOptions options)
    {
        _socket = socket;
        _input = new Pipe(options);
        _output = new SocketPipeWriter(socket, _input.Reader);
        Transport = _output;
        MemoryPool = options.Pool;
        LocalEndPoint = socket.LocalEndPoint;
        RemoteEndPoint = socket.RemoteEndPoint;
        ConnectionClosed = _closed.Token;
        Features = new ConnectionFeatures(this, OwnFeatures);
    }

    public override string ConnectionId { get; set; } = Interlocked.Increment(ref _lastId).ToString("X", CultureInfo.InvariantCulture);

    public override IFeatureCollection Features { get; }

    public override IDictionary<object, object?> Items
    {
        get => _items ??= new ConnectionItems();
        set => _items = value;
    }

    public override IDuplexPipe Transport { get; set; }

    public override CancellationToken ConnectionClosed { get; set; }

    public override EndPoint? LocalEndPoint { get; set; }

    public override EndPoint? RemoteEndPoint { get; set; }

    public MemoryPool<byte> MemoryPool { get; }

    public Socket Socket => _socket;

    /// <summary>Receives from now on.</summary>
    public void Start(EventLoop loop)
    {
        // Nothing is received before the token is known that ends it.
        _wanted = 1;
        _loop = loop;
        _token = loop.Add(this, (int)_socket.SafeHandle.DangerousGetHandle());
        ReceiveAll();
    }

    /// <summary>There is something to receive, or nothing will come any more.</summary>
    /// <remarks>One thread receives; to another it is left to look once more.</remarks>
    public void OnReady(bool mayHaveEnded)
    {
        if (mayHaveEnded)
        {
            _mayHaveEnded = true;
        }

        if (Interlocked.Increment(ref _wanted) == 1)
        {
            ReceiveAll();
        }
    }

    /// <summary>Ends it at once, for both sides.</summary>
    public override void Abort(ConnectionAbortedException abortReason)
    {
        Volatile.Write(ref _abortReason, abortReason);
        Close(abort: true);
    }

    /// <summary>Ends it, after what was flushed is sent.</summary>
    public override async ValueTask DisposeAsync()
    {
        await _output.Sent.ConfigureAwait(false);
        Close(abort: false);
        var told = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        if (Interlocked.CompareExchange(ref _told, told, null) is null)
        {
            await told.Task.ConfigureAwait(false);
        }

        _closed.Dispose();
        await base.DisposeAsync().ConfigureAwait(false);
    }

    private void Close(bool abort)
    {
        if (Interlocked.Exchange(ref _isClosed, 1) != 0)
        {
            return;
        }

        if (abort)
        {
            // The peer must not take it for an end.
            _socket.Close(timeout: 0);
        }
        else
        {
            try
            {
                _socket.Shutdown(SocketShutdown.Both);
            }
            catch (SocketException)
            {
                // The peer was first.
            }

            _socket.Dispose();
        }

        // The system tells nothing of a closed socket. Not here: whoever aborts may hold a lock that the reader wants.
        ThreadPool.UnsafeQueueUserWorkItem(static connection => connection.OnReady(mayHaveEnded: true), this, preferLocal: false);
    }

    /// <summary>Receives until nobody has asked for more meanwhile.</summary>
    private void ReceiveAll()
    {
        var seen = Volatile.Read(ref _wanted);
        while (ReceiveSome())
        {
            var wanted = Interlocked.CompareExchange(ref _wanted, 0, seen);
            if (wanted == seen)
            {
                return;
            }

            seen = wanted;
        }
    }

    /// <summary>Receives what there is.</summary>
    /// <returns>False when it has ended, or goes on when the reader has read; then nobody else receives.</returns>
    private bool ReceiveSome()
    {
        while (true)
        {
            var memory = _input.Writer.GetMemory();
            int count;
            SocketError error;
            try
            {
                count = _socket.Receive(memory.Span, SocketFlags.None, out error);
            }
            catch (ObjectDisposedException)
            {
                count = 0;
                error = SocketError.OperationAborted;
            }

            if (error == SocketError.WouldBlock)
            {
                return true;
            }

            if (count == 0 || error != SocketError.Success)
            {
                End(error);
                return false;
            }

            // Before the reader runs, who may take long: with less than there was room for, the socket is empty.
            var isEmpty = count < memory.Length && !_mayHaveEnded;
            _input.Writer.Advance(count);
            if (!HandOver(_input.Writer.FlushAsync()))
            {
                return false;
            }

            if (isEmpty)
            {
                return true;
            }
        }
    }

    /// <summary>Lets the reader have what was received.</summary>
    /// <returns>False when it wants no more, or not yet.</returns>
    private bool HandOver(ValueTask<FlushResult> flush)
    {
        if (!flush.IsCompletedSuccessfully)
        {
            _ = ResumeAsync(flush);
            return false;
        }

        if (flush.Result.IsCompleted)
        {
            End(SocketError.Success);
            return false;
        }

        return true;
    }

    /// <summary>Goes on when the reader has read.</summary>
    private async Task ResumeAsync(ValueTask<FlushResult> flush)
    {
        if ((await flush.ConfigureAwait(false)).IsCompleted)
        {
            End(SocketError.Success);
        }
        else
        {
            ReceiveAll();
        }
    }

    /// <summary>Nothing is received any more.</summary>
    private void End(SocketError error)
    {
        _loop!.Remove(_token);
        _input.Writer.Complete(error switch
        {
            _ when Volatile.Read(ref _abortReason) is { } reason => reason,
            SocketError.Success => null,
            SocketError.OperationAborted => new ConnectionAbortedException(),
            SocketError.ConnectionReset => new ConnectionResetException("The peer has reset the connection."),
            _ => new IOException("The connection has failed.", new SocketException((int)error)),
        });
        ThreadPool.UnsafeQueueUserWorkItem(static connection => connection.Tell(), this, preferLocal: false);
    }

    private void Tell()
    {
        try
        {
            _closed.Cancel();
        }
        catch (AggregateException)
        {
            // Of those who are told, none is owed that all others took it well.
        }
        finally
        {
            Interlocked.Exchange(ref _told, Done)?.TrySetResult();
        }
    }
}
