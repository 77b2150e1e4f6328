using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;

namespace AspireStreaming.StreamApi.Sessions.WebSockets;

/// <summary>
/// The stream below a WebSocket. Messages of the session are framed straight into a buffer and sent with one write, where
/// <see cref="System.Net.WebSockets.WebSocket"/> would send each by itself; what the WebSocket writes itself (pong, ping, close) goes
/// between them. The session's loop is the only writer of messages. In the other direction the session is offered short messages
/// before the WebSocket.
/// </summary>
/// <param name="inner">The upgraded request.</param>
/// <param name="direct">
/// The connection's output, if that is what the upgraded request writes to: messages then go there without the server's copy.
/// </param>
internal sealed class UpgradedStream(Stream inner, PipeWriter? direct = null) : Stream
{
    private const int MinBuffer = 4 << 10;

    /// <summary>What does not fit into the first buffer is a batch: the next has room for most.</summary>
    private const int BatchBuffer = 64 << 10;
    private const int MaxHeader = 10;
    private const byte FinalText = 0x81;

    private readonly SemaphoreSlim _writing = new(1);
    private readonly ClientFrames _frames = new();

    /// <summary>Rented while there is something to send: an idle session keeps none, and a busy one gets one that is still in the cache.</summary>
    private byte[] _buffer = [];
    private int _used;
    private int _last;

    /// <summary>Bytes of messages that wait for <see cref="FlushMessagesAsync"/>.</summary>
    public int Pending => _used;

    /// <summary>Is offered the client's short messages before the WebSocket; in the thread that reads.</summary>
    public ShortMessageTaker? Taker
    {
        get => _frames.Taker;
        set => _frames.Taker = value;
    }

    /// <summary>Called when some of what one read brought was taken.</summary>
    public Action? Taken { get; set; }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Writes a text message of three parts.</summary>
    public void AddMessage(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, ReadOnlySpan<byte> third)
    {
        var length = first.Length + second.Length + third.Length;
        Reserve(MaxHeader + length);
        var room = _buffer.AsSpan(_used);
        var header = WriteHeader(room, length);
        _used += header + length;
        room = room[header..];
        first.CopyTo(room);
        room = room[first.Length..];
        second.CopyTo(room);
        third.CopyTo(room[second.Length..]);
    }

    /// <summary>Writes a whole text message.</summary>
    public void AddMessage(ReadOnlySpan<byte> message) => AddMessage(message, default, default);

    /// <summary>Sends the messages.</summary>
    /// <returns>Null when the client is gone; else whether that had to wait.</returns>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<bool?> FlushMessagesAsync()
    {
        var entering = _writing.WaitAsync();
        var waited = !entering.IsCompleted;
        await entering;
        _last = _used;
        try
        {
            if (direct is not null)
            {
                // It keeps its own copy of what has to wait.
                var sending = direct.WriteAsync(_buffer.AsMemory(0, _used));
                Forget();
                waited |= !sending.IsCompleted;
                return (await sending).IsCompleted ? null : waited;
            }

            // The server sends what is written to an upgraded request at once; nothing needs to be flushed.
            var writing = inner.WriteAsync(_buffer.AsMemory(0, _used));
            waited |= !writing.IsCompleted;
            await writing;
            Forget();
            return waited;
        }
        finally
        {
            _writing.Release();
        }
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (true)
        {
            var count = _frames.Pass(buffer.Span, out var isTaken);
            if (isTaken)
            {
                Taken?.Invoke();
            }

            if (count > 0)
            {
                return count;
            }

            var read = await inner.ReadAsync(_frames.Room(), cancellationToken);
            _frames.Add(read);
            if (read == 0)
            {
                // What is left of a frame that was cut off, and then nothing.
                return _frames.Pass(buffer.Span, out _);
            }
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        await _writing.WaitAsync(cancellationToken);
        try
        {
            await inner.WriteAsync(buffer, cancellationToken);
        }
        finally
        {
            _writing.Release();
        }
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override async Task FlushAsync(CancellationToken cancellationToken)
    {
        await _writing.WaitAsync(cancellationToken);
        try
        {
            await inner.FlushAsync(cancellationToken);
        }
        finally
        {
            _writing.Release();
        }
    }

    public override void Flush() => throw new NotSupportedException();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            inner.Dispose();
            _writing.Dispose();
        }

        base.Dispose(disposing);
    }

    private static int WriteHeader(Span<byte> header, int length)
    {
        header[0] = FinalText;
        switch (length)
        {
            case <= 125:
                header[1] = (byte)length;
                return 2;
            case <= ushort.MaxValue:
                header[1] = 126;
                BinaryPrimitives.WriteUInt16BigEndian(header[2..], (ushort)length);
                return 2 + sizeof(ushort);
            default:
                header[1] = 127;
                BinaryPrimitives.WriteUInt64BigEndian(header[2..], (ulong)length);
                return 2 + sizeof(ulong);
        }
    }

    private void Reserve(int bytes)
    {
        if (_buffer.Length - _used >= bytes)
        {
            return;
        }

        // A batch is mostly about as long as the one before it.
        var least = _buffer.Length == 0 && _last <= MinBuffer ? MinBuffer : Math.Max(Math.Max(BatchBuffer, _last), _buffer.Length * 2);
        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(least, _used + bytes));
        _buffer.AsSpan(0, _used).CopyTo(larger);
        var used = _used;
        Forget();
        _buffer = larger;
        _used = used;
    }

    private void Forget()
    {
        if (_buffer.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = [];
        }

        _used = 0;
    }
}
