using AspireStreaming.Cli.Client;
using AspireStreaming.Cli.Publish;

namespace AspireStreaming.Cli.Verify;

/// <summary>Compares events with the lines of a file, in order: the n-th event must hold the n-th line that is not blank.</summary>
internal sealed class FileComparison : IAsyncDisposable
{
    private readonly FileStream _file;
    private readonly LineReader _lines;
    private readonly string _name;

    public FileComparison(string path)
    {
        _name = Path.GetFileName(path);
        _file = JsonLinesFile.Open(path);
        _lines = new LineReader(_file, _name, PublishSettings.MaxLineBytes);
    }

    /// <summary>Lines that are not blank, so far.</summary>
    public long Count { get; private set; }

    public async Task CompareAsync(DeliveredEvent item, VerifyReport report, CancellationToken cancellationToken)
    {
        var line = await ReadAsync(cancellationToken);
        var position = item.Position.ToString();
        if (line is null)
        {
            report.Add("file", _name, position, "the event has no line: the file is shorter");
        }
        else if (item.IsBinary || item.Data is not { } data)
        {
            report.Add("file", _name, position, $"the event has no JSON data to compare with line {_lines.LineNumber}");
        }
        else if (!JsonText.AreEqual(data.Span, line.Value.Span))
        {
            report.Add("file", _name, position, $"the event's data differs from line {_lines.LineNumber}");
        }
    }

    /// <summary>After the last event no line may be left.</summary>
    public async Task FinishAsync(VerifyReport report, CancellationToken cancellationToken)
    {
        while (await ReadAsync(cancellationToken) is not null)
        {
            report.Add("file", _name, $"line {_lines.LineNumber}", "the line has no event");
        }

        report.FileLines = Count;
    }

    public ValueTask DisposeAsync() => _file.DisposeAsync();

    private async ValueTask<ReadOnlyMemory<byte>?> ReadAsync(CancellationToken cancellationToken)
    {
        while (await _lines.ReadAsync(cancellationToken) is { } line)
        {
            if (!line.Span.Trim(" \t"u8).IsEmpty)
            {
                Count++;
                return line;
            }
        }

        return null;
    }
}
