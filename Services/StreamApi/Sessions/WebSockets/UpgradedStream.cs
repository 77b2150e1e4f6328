using System.Buffers;
using System.Buffers.Binary;

namespace AspireStreaming.StreamApi.Sessions.WebSockets;

/// <summary>
/// The stream below a WebSocket. Messages of the session are framed straight into a buffer and sent with one write, where
/// <see cref="System.Net.WebSockets.WebSocket"/> would send each by itself; what the WebSocket writes itself (pong, ping, close) goes
/// between them. The session's loop is the only writer of messages.
/// </summary>
internal sealed class UpgradedStream(Stream inner) : Stream
{
    private const int MinBuffer = 4 << 10;

    /// <summary>What does not fit into the first buffer is a batch: the next has room for most.</summary>
    private const int BatchBuffer = 64 << 10;
    private const int MaxHeader = 10;
    private const byte FinalText = 0x81;

    private readonly SemaphoreSlim _writing = new(1);
    /// <summary>Rented while there is something to send: an idle session keeps none, and a busy one gets one that is still in the cache.</summary>
    private byte[] _buffer = [];
    private int _used;
    private int _messageStart;

    /// <summary>Bytes of messages that wait for <see cref="FlushMessagesAsync"/>.</summary>
    public int Pending => _used;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Begins a text message whose length is known.</summary>
    public void BeginMessage(int length)
    {
        Reserve(MaxHeader + length);
        _buffer[_used++] = FinalText;
        switch (length)
        {
            case <= 125:
                _buffer[_used++] = (byte)length;
                break;
            case <= ushort.MaxValue:
                _buffer[_used++] = 126;
                BinaryPrimitives.WriteUInt16BigEndian(_buffer.AsSpan(_used), (ushort)length);
                _used += sizeof(ushort);
                break;
            default:
                _buffer[_used++] = 127;
                BinaryPrimitives.WriteUInt64BigEndian(_buffer.AsSpan(_used), (ulong)length);
                _used += sizeof(ulong);
                break;
        }

        _messageStart = _used + length;
    }

    /// <summary>Adds to the message begun.</summary>
    public void Add(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_buffer.AsSpan(_used, _messageStart - _used));
        _used += bytes.Length;
    }

    /// <summary>Writes a whole text message.</summary>
    public void AddMessage(ReadOnlySpan<byte> message)
    {
        BeginMessage(message.Length);
        Add(message);
    }

    /// <summary>Sends the messages.</summary>
    /// <returns>Whether that had to wait.</returns>
    public async ValueTask<bool> FlushMessagesAsync(CancellationToken cancellationToken)
    {
        var waited = false;
        var entering = _writing.WaitAsync(cancellationToken);
        waited |= !entering.IsCompleted;
        await entering;
        try
        {
            // The server sends what is written to an upgraded request at once; nothing needs to be flushed.
            var writing = inner.WriteAsync(_buffer.AsMemory(0, _used), cancellationToken);
            waited |= !writing.IsCompleted;
            await writing;
        }
        finally
        {
            _writing.Release();
        }

        Forget();
        return waited;
    }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        inner.ReadAsync(buffer, cancellationToken);

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        inner.ReadAsync(buffer, offset, count, cancellationToken);

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

    private void Reserve(int bytes)
    {
        if (_buffer.Length - _used >= bytes)
        {
            return;
        }

        var least = _buffer.Length == 0 ? MinBuffer : Math.Max(BatchBuffer, _buffer.Length * 2);
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
