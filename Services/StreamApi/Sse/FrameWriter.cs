using System.Buffers;

namespace AspireStreaming.StreamApi.Sse;

/// <summary>
/// Copies frames into a pipe with one call of the pipe for many frames: its bookkeeping costs more than copying a small frame.
/// </summary>
/// <param name="writer">The pipe.</param>
/// <param name="pieceBytes">Room asked of the pipe once its first piece is full; 0: what the pipe likes to give.</param>
internal struct FrameWriter(IBufferWriter<byte> writer, int pieceBytes = 0)
{
    private Memory<byte> _memory;
    private int _used;

    /// <summary>Bytes written since the last <see cref="Complete"/>.</summary>
    public long Pending { get; private set; }

    /// <summary>Writes bytes.</summary>
    public void Write(scoped ReadOnlySpan<byte> bytes)
    {
        Pending += bytes.Length;
        var room = _memory.Length - _used;
        while (bytes.Length > room)
        {
            bytes[..room].CopyTo(_memory.Span[_used..]);
            bytes = bytes[room..];
            _used += room;
            Advance();
            _memory = writer.GetMemory(Pending > bytes.Length ? pieceBytes : 0);
            room = _memory.Length;
        }

        bytes.CopyTo(_memory.Span[_used..]);
        _used += bytes.Length;
    }

    /// <summary>Room for bytes that the caller fills at once.</summary>
    /// <returns>Empty when there is not so much in one piece: <see cref="Write"/> them then.</returns>
    public Span<byte> Take(int length)
    {
        if (_memory.Length - _used < length)
        {
            return default;
        }

        var room = _memory.Span.Slice(_used, length);
        _used += length;
        Pending += length;
        return room;
    }

    /// <summary>Hands what was written to the pipe, which may then be flushed.</summary>
    public void Complete()
    {
        Advance();
        Pending = 0;
    }

    private void Advance()
    {
        if (_used > 0)
        {
            writer.Advance(_used);
        }

        _memory = default;
        _used = 0;
    }
}
