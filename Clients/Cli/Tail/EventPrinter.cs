using System.Buffers;
using System.Text;
using AspireStreaming.Client;

namespace AspireStreaming.Cli.Tail;

/// <summary>Writes delivered events: raw for programs, or a readable line each.</summary>
internal sealed class EventPrinter(CliHost host, bool json)
{
    private const int DataLengthInPipes = 160;

    private readonly ArrayBufferWriter<byte> _pending = new(64 * 1024);
    private readonly StringBuilder _line = new();

    /// <summary>Whether something waits for <see cref="FlushAsync"/>.</summary>
    public bool HasPending => _pending.WrittenCount > 0;

    /// <summary>Whether enough waits that it should be written before more is added.</summary>
    public bool IsFull => _pending.WrittenCount > 1024 * 1024;

    public void Print(StreamEvent item)
    {
        if (json)
        {
            _pending.Write(item.Json.Span);
            _pending.Write("\n"u8);
            return;
        }

        var position = item.Position.ToString();
        var data = item.DataToken is { } bytes ? Encoding.UTF8.GetString(bytes.Span[..Math.Min(bytes.Length, 4096)]) : "";
        _line.Clear();
        _line.Append(host.Paint(host.OutputIsTerminal, "90", position)).Append("  ");
        _line.Append(host.Paint(host.OutputIsTerminal, "90", Printable(item.RecordedTimeText))).Append("  ");
        _line.Append(host.Paint(host.OutputIsTerminal, EventColour(item.Type), Printable(item.Type))).Append("  ");
        var used = position.Length + item.RecordedTimeText.Length + item.Type.Length + 6;
        _line.Append(Shorten(Printable(data), host.OutputIsTerminal ? Math.Max(host.Width - used, 20) : DataLengthInPipes));
        _line.Append('\n');
        var text = _line.ToString();
        _pending.Advance(Encoding.UTF8.GetBytes(text, _pending.GetSpan(Encoding.UTF8.GetMaxByteCount(text.Length))));
    }

    /// <exception cref="OutputClosedException">The reader of our output has left.</exception>
    public async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        try
        {
            await host.Output.WriteAsync(_pending.WrittenMemory, cancellationToken);
            await host.Output.FlushAsync(cancellationToken);
        }
        catch (IOException exception)
        {
            throw new OutputClosedException(exception);
        }

        _pending.ResetWrittenCount();
    }

    private static string EventColour(string type) =>
        type.Contains("ERROR", StringComparison.OrdinalIgnoreCase) || type.Contains("FAILED", StringComparison.OrdinalIgnoreCase) ? "31"
        : type.StartsWith("WORKFLOW_", StringComparison.Ordinal) || type.StartsWith("STREAM_", StringComparison.Ordinal) ? "32"
        : "36";

    /// <summary>Nothing that an event contains may steer the terminal.</summary>
    private static string Printable(string text) =>
        text.AsSpan().IndexOfAnyInRange('\0', '\u001f') < 0 && text.AsSpan().IndexOfAnyInRange('\u007f', '\u009f') < 0
            ? text
            : string.Create(text.Length, text, static (target, text) =>
            {
                for (var index = 0; index < target.Length; index++)
                {
                    target[index] = char.IsControl(text[index]) ? '\uFFFD' : text[index];
                }
            });

    private static string Shorten(string text, int length)
    {
        if (text.Length <= length)
        {
            return text;
        }

        var end = char.IsHighSurrogate(text[length - 2]) ? length - 2 : length - 1;
        return string.Concat(text.AsSpan(0, end), "…");
    }
}
