using System.IO.Pipelines;

namespace AspireStreaming.StreamApi.Sse;

/// <summary>
/// Copies frames into a pipe with one call of the pipe for many frames: its bookkeeping costs more than copying a small frame.
/// </summary>
internal ref struct FrameWriter(PipeWriter writer)
{
    private Span<byte> _span = [];
    private int _used;

    /// <summary>Bytes written.</summary>
    public long Written { get; private set; }

    /// <summary>Writes bytes.</summary>
    public void Write(scoped ReadOnlySpan<byte> bytes)
    {
        Written += bytes.Length;
        while (bytes.Length > _span.Length - _used)
        {
            var room = _span.Length - _used;
            bytes[..room].CopyTo(_span[_used..]);
            bytes = bytes[room..];
            _used += room;
            Complete();
            _span = writer.GetSpan();
        }

        bytes.CopyTo(_span[_used..]);
        _used += bytes.Length;
    }

    /// <summary>Hands what was written to the pipe.</summary>
    public void Complete()
    {
        if (_used > 0)
        {
            writer.Advance(_used);
        }

        _span = [];
        _used = 0;
    }
}
