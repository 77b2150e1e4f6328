using AspireStreaming.Cli.Publish;
using AspireStreaming.Client;

namespace AspireStreaming.Cli.Verify;

/// <summary>
/// Compares events with the lines of a file, in order: the n-th event must hold the n-th line that is not blank. Where they part it
/// looks some lines ahead, so that one lost event is reported as that and not as a difference of all that follow.
/// </summary>
internal sealed class FileComparison : IAsyncDisposable
{
    private const int MaxLinesAhead = 1000;
    private const int MaxBytesAhead = 16 * 1024 * 1024;

    private readonly FileStream _file;
    private readonly LineReader _lines;
    private readonly string _name;
    private readonly List<Line> _ahead = [];
    private long _bytesAhead;
    private byte[]? _unmatched;

    public FileComparison(string path)
    {
        _name = Path.GetFileName(path);
        _file = JsonLinesFile.Open(path);
        _lines = new LineReader(_file, _name, PublishSettings.MaxLineBytes);
    }

    /// <summary>Lines that are not blank, so far.</summary>
    public long Count { get; private set; }

    public async Task CompareAsync(StreamEvent item, VerifyReport report, CancellationToken cancellationToken)
    {
        var position = item.Position.ToString();
        if (_ahead.Count == 0 && !await ReadAheadAsync(cancellationToken))
        {
            if (!TakeUnmatched(item.DataToken ?? default))
            {
                report.Add("file", _name, position, "the event has no line: the file is shorter");
            }

            return;
        }

        if (item.IsBinary || item.DataToken is not { } data)
        {
            report.Add("file", _name, position, $"the event has no JSON data to compare with line {_ahead[0].Number}");
            Drop(1);
            return;
        }

        for (var index = 0; index < _ahead.Count || await ReadAheadAsync(cancellationToken); index++)
        {
            if (JsonText.AreEqual(data.Span, _ahead[index].Json))
            {
                if (index > 0)
                {
                    var lines = index == 1
                        ? $"line {_ahead[0].Number} has"
                        : $"lines {_ahead[0].Number} to {_ahead[index - 1].Number} have";
                    report.Add("file", _name, position, $"{lines} no event before this one");
                }

                _unmatched = null;
                Drop(index + 1);
                return;
            }

            if (index == 0 && TakeUnmatched(data))
            {
                return;
            }
        }

        report.Add("file", _name, position, $"the event's data differs from line {_ahead[0].Number}");
        _unmatched = _ahead[0].Json;
        Drop(1);
    }

    /// <summary>After the last event no line may be left.</summary>
    public async Task FinishAsync(VerifyReport report, CancellationToken cancellationToken)
    {
        while (_ahead.Count > 0 || await ReadAheadAsync(cancellationToken))
        {
            report.Add("file", _name, $"line {_ahead[0].Number}", "the line has no event");
            Drop(1);
        }

        report.FileLines = Count;
    }

    public ValueTask DisposeAsync() => _file.DisposeAsync();

    /// <summary>
    /// Whether the event belongs to the line that the event before did not match: then that one was too many, as reported.
    /// </summary>
    private bool TakeUnmatched(ReadOnlyMemory<byte> data)
    {
        if (_unmatched is null || !JsonText.AreEqual(data.Span, _unmatched))
        {
            return false;
        }

        _unmatched = null;
        return true;
    }

    private async ValueTask<bool> ReadAheadAsync(CancellationToken cancellationToken)
    {
        if (_ahead.Count >= MaxLinesAhead || _bytesAhead >= MaxBytesAhead)
        {
            return false;
        }

        while (await _lines.ReadAsync(cancellationToken) is { } line)
        {
            if (!line.Span.Trim(" \t"u8).IsEmpty)
            {
                Count++;
                _ahead.Add(new Line(_lines.LineNumber, line.ToArray()));
                _bytesAhead += line.Length;
                return true;
            }
        }

        return false;
    }

    private void Drop(int count)
    {
        for (var index = 0; index < count; index++)
        {
            _bytesAhead -= _ahead[index].Json.Length;
        }

        _ahead.RemoveRange(0, count);
    }

    private readonly record struct Line(long Number, byte[] Json);
}
