using System.Buffers;

namespace AspireStreaming.Cli.Publish;

/// <summary>A JSON array of events in the making, and the lines that they came from.</summary>
internal sealed class EventBatch
{
    private readonly ArrayBufferWriter<byte> _json = new(64 * 1024);
    private readonly List<long> _lines = [];

    public int Count => _lines.Count;

    public int Bytes => _json.WrittenCount;

    public long FirstLine => _lines[0];

    public long LastLine => _lines[^1];

    /// <summary>Bytes of the input up to the end of the last line.</summary>
    public long InputBytes { get; private set; }

    public long LineOf(int index) => _lines[Math.Clamp(index, 0, _lines.Count - 1)];

    public void Add(ReadOnlySpan<byte> json, long line, long inputBytes)
    {
        _json.Write(_lines.Count == 0 ? "["u8 : ","u8);
        _json.Write(json);
        _lines.Add(line);
        InputBytes = inputBytes;
    }

    /// <summary>Closes the array; <see cref="Clear"/> follows.</summary>
    public ReadOnlyMemory<byte> Finish()
    {
        _json.Write("]"u8);
        return _json.WrittenMemory;
    }

    public void Clear()
    {
        _json.ResetWrittenCount();
        _lines.Clear();
    }
}
