using System.Buffers;
using AspireStreaming.StreamApi.Sse;

namespace AspireStreaming.StreamApi.Rpc;

/// <summary>Bytes that wait to be written to a pipe, in rented arrays; it keeps none while there are no bytes. Not thread-safe.</summary>
internal sealed class StagedBytes : IBufferWriter<byte>
{
    private const int PieceBytes = 64 << 10;

    private readonly List<(byte[] Array, int Used)> _full = [];
    private byte[] _piece = [];
    private int _used;

    /// <inheritdoc/>
    public void Advance(int count) => _used += count;

    /// <inheritdoc/>
    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        var wanted = Math.Max(sizeHint, 1);
        if (_piece.Length - _used < wanted)
        {
            Close();
            _piece = ArrayPool<byte>.Shared.Rent(Math.Max(wanted, PieceBytes));
        }

        return _piece.AsMemory(_used);
    }

    /// <inheritdoc/>
    public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    /// <summary>Writes all of them, and has none any more.</summary>
    public void MoveTo(ref FrameWriter writer)
    {
        Close();
        foreach (var (array, used) in _full)
        {
            writer.Write(array.AsSpan(0, used));
            ArrayPool<byte>.Shared.Return(array);
        }

        _full.Clear();
    }

    private void Close()
    {
        if (_used > 0)
        {
            _full.Add((_piece, _used));
            _piece = [];
            _used = 0;
        }
    }
}
