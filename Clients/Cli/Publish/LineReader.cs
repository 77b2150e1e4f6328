namespace AspireStreaming.Cli.Publish;

/// <summary>Reads lines of bounded length as bytes; LF or CRLF, a byte order mark at the start is passed over.</summary>
/// <param name="input">Not disposed.</param>
/// <param name="name">Name of the input for messages.</param>
/// <param name="maxLineBytes">Longest line, without its end.</param>
internal sealed class LineReader(Stream input, string name, int maxLineBytes)
{
    private byte[] _buffer = new byte[64 * 1024];
    private int _start;
    private int _end;
    private int _scanned;
    private bool _atEnd;

    /// <summary>1-based number of the line that was read last.</summary>
    public long LineNumber { get; private set; }

    /// <summary>Bytes of the input up to the end of the line that was read last.</summary>
    public long BytesRead { get; private set; }

    /// <summary>The next line, valid until the next read; null at the end.</summary>
    /// <exception cref="CliException">The line is too long.</exception>
    public async ValueTask<ReadOnlyMemory<byte>?> ReadAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var rest = _buffer.AsMemory(_start, _end - _start);
            var found = rest.Span[_scanned..].IndexOf((byte)'\n');
            if (found >= 0)
            {
                return Take(rest[..(_scanned + found)], terminator: 1);
            }

            _scanned = rest.Length;
            if (_atEnd)
            {
                // A conditional expression would turn null into an empty line: memory converts from a null array.
                if (rest.IsEmpty)
                {
                    return null;
                }

                return Take(rest, terminator: 0);
            }

            // One more byte than the longest line with its CR shows that it is too long.
            if (rest.Length > maxLineBytes + 1)
            {
                throw TooLong(LineNumber + 1);
            }

            await FillAsync(cancellationToken);
        }
    }

    private ReadOnlyMemory<byte> Take(ReadOnlyMemory<byte> line, int terminator)
    {
        var length = line.Length + terminator;
        _start += length;
        _scanned = 0;
        LineNumber++;
        BytesRead += length;
        if (line.Span.EndsWith("\r"u8))
        {
            line = line[..^1];
        }

        if (LineNumber == 1 && line.Span.StartsWith("\uFEFF"u8))
        {
            line = line[3..];
        }

        return line.Length <= maxLineBytes ? line : throw TooLong(LineNumber);
    }

    private async ValueTask FillAsync(CancellationToken cancellationToken)
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            _end -= _start;
            _start = 0;
        }

        if (_end == _buffer.Length)
        {
            Array.Resize(ref _buffer, _buffer.Length * 2);
        }

        // A terminal's read cannot be cancelled; the wait for it can.
        var count = await input.ReadAsync(_buffer.AsMemory(_end), cancellationToken).AsTask().WaitAsync(cancellationToken);
        _end += count;
        _atEnd = count == 0;
    }

    private CliException TooLong(long line) =>
        new(ExitCode.BadInput, $"{name}:{line}: the line is longer than {maxLineBytes:N0} bytes, the most that an event may have.");
}
