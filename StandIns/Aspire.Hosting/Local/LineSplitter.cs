using System.Text;

namespace Aspire.Hosting.Local;

/// <summary>Cuts the output of a program into lines; a line longer than <see cref="MaxLineBytes"/> is delivered in pieces.</summary>
internal sealed class LineSplitter(Action<string> onLine)
{
    public const int MaxLineBytes = 64 * 1024;

    private readonly byte[] _buffer = new byte[MaxLineBytes];
    private int _length;

    /// <summary>Where to read the next bytes to; never empty.</summary>
    public Memory<byte> Free => _buffer.AsMemory(_length);

    /// <summary>Takes over that many bytes, just read to <see cref="Free"/>.</summary>
    public void Advance(int count)
    {
        var start = 0;
        var unsearched = _length;
        _length += count;
        while (_buffer.AsSpan(unsearched, _length - unsearched).IndexOf((byte)'\n') is >= 0 and var offset)
        {
            var end = unsearched + offset;
            Deliver(_buffer.AsSpan(start, end - start));
            start = unsearched = end + 1;
        }

        if (start == 0 && _length == _buffer.Length)
        {
            start = LengthWithoutCutCharacter();
            Deliver(_buffer.AsSpan(0, start));
        }

        if (start > 0)
        {
            _buffer.AsSpan(start, _length - start).CopyTo(_buffer);
            _length -= start;
        }
    }

    /// <summary>Delivers what the program wrote after its last line end.</summary>
    public void Complete()
    {
        if (_length > 0)
        {
            Deliver(_buffer.AsSpan(0, _length));
            _length = 0;
        }
    }

    private void Deliver(ReadOnlySpan<byte> line) => onLine(Encoding.UTF8.GetString(line.EndsWith((byte)'\r') ? line[..^1] : line));

    private int LengthWithoutCutCharacter()
    {
        var length = _length;
        while (length > _length - 4 && (_buffer[length - 1] & 0xC0) == 0x80)
        {
            length--;
        }

        var lead = _buffer[length - 1];
        var needed = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
        return length - 1 + needed > _length ? length - 1 : _length;
    }
}
