using System.Buffers;

namespace AspireStreaming.CompressionCost;

/// <summary>Takes bytes and forgets them.</summary>
internal sealed class Sink : IBufferWriter<byte>
{
    private readonly byte[] _buffer = new byte[64 << 10];
    private int _used;

    public long Written { get; private set; }

    public void Flush() => _used = 0;

    public void Advance(int count)
    {
        _used += count;
        Written += count;
    }

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        if (_buffer.Length - _used < Math.Max(sizeHint, 1))
        {
            _used = 0;
        }

        return _buffer.AsMemory(_used);
    }

    public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;
}
