using System.Buffers.Binary;

namespace AspireStreaming.StreamApi.Sessions.WebSockets;

/// <summary>
/// The stream below a WebSocket. Messages of the session are framed straight into a buffer and sent with one write, where
/// <see cref="System.Net.WebSockets.WebSocket"/> would send each by itself; what the WebSocket writes itself (pong, ping, close) goes
/// between them. The session's loop is the only writer of messages.
/// </summary>
internal sealed class UpgradedStream(Stream inner) : Stream
{
    /// <summary>What is kept of the buffer between flushes.</summary>
    private const int KeptBytes = 256 << 10;
    private const int InitialBytes = 4 << 10;
    private const int MaxHeader = 10;
    private const byte FinalText = 0x81;

    private readonly SemaphoreSlim _writing = new(1);
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

        _used = 0;
        if (_buffer.Length > KeptBytes)
        {
            _buffer = [];
        }

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
        if (_buffer.Length - _used < bytes)
        {
            Array.Resize(ref _buffer, Math.Max(Math.Max(InitialBytes, _buffer.Length * 2), _used + bytes));
        }
    }
}
