using System.Buffers.Text;
using System.Text;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.Streaming.Redis;

/// <summary>What append.lua replied to one request.</summary>
internal enum AppendReplyStatus
{
    Appended,
    Stale,
    LookUp,
    Ended,
    PositionMismatch,
    BacklogFull,
}

/// <summary>Reads a request's line of a reply of append.lua: fields with spaces between.</summary>
internal readonly struct AppendReply
{
    private const int MaxFields = 10;

    private readonly byte[] _text;

    public AppendReply(byte[] text)
    {
        _text = text;
        Status = text.AsSpan() switch
        {
            [>= (byte)'0' and <= (byte)'9', ..] or [(byte)'O', (byte)'K', ..] => AppendReplyStatus.Appended,
            [(byte)'S', ..] => AppendReplyStatus.Stale,
            [(byte)'L', ..] => AppendReplyStatus.LookUp,
            [(byte)'E', (byte)'N', ..] => AppendReplyStatus.Ended,
            [(byte)'E', (byte)'X', ..] => AppendReplyStatus.PositionMismatch,
            [(byte)'B', ..] => AppendReplyStatus.BacklogFull,
            _ => throw new InvalidDataException($"The append script answered '{Encoding.UTF8.GetString(text)}'."),
        };
    }

    public AppendReplyStatus Status { get; }

    /// <summary>
    /// Bytes in the partition's archive log; where events were appended or the log is full. Null in most replies to a single event.
    /// </summary>
    public long? ArchiveBytes
    {
        get
        {
            Span<Range> fields = stackalloc Range[MaxFields];
            var count = Split(fields);
            return Status == AppendReplyStatus.BacklogFull ? Number(fields[1])
                : !IsShort ? Number(fields[5])
                : count > 3 ? Number(fields[3])
                : null;
        }
    }

    /// <summary>Whether it speaks of one new event, and says only what differs between such.</summary>
    private bool IsShort => _text[0] <= '9';

    /// <summary>What the caller of the log is told.</summary>
    public AppendResult ToResult(bool idempotencyPartial)
    {
        Span<Range> fields = stackalloc Range[MaxFields];
        var count = Split(fields);
        switch (Status)
        {
            case AppendReplyStatus.Appended when IsShort:
                var position = Position(fields[0]);
                return new AppendResult(
                    AppendStatus.Appended,
                    position,
                    position,
                    1,
                    0,
                    IdempotencyPartial: idempotencyPartial,
                    RecordedAt: Number(fields[2]),
                    LogId: Position(fields[1]));
            case AppendReplyStatus.Appended:
                return new AppendResult(
                    AppendStatus.Appended,
                    Position(fields[1]),
                    Position(fields[2]),
                    (int)Number(fields[3]),
                    (int)Number(fields[4]),
                    IdempotencyPartial: idempotencyPartial,
                    RecordedAt: Number(fields[6]),
                    Previous: _text.AsSpan(fields[7]) is [(byte)'-'] ? null : Position(fields[7]),
                    Positions: count > 9 ? Positions(_text.AsSpan(fields[9])) : null,
                    LogId: _text.AsSpan(fields[8]) is [(byte)'-'] ? StreamPosition.Zero : Position(fields[8]));
            case AppendReplyStatus.Ended:
                return new AppendResult(
                    AppendStatus.Ended, EndState: Encoding.ASCII.GetString(_text.AsSpan(fields[1])), Current: Position(fields[2]));
            case AppendReplyStatus.PositionMismatch:
                return new AppendResult(AppendStatus.PositionMismatch, Current: Position(fields[1]));
            case AppendReplyStatus.BacklogFull:
                return new AppendResult(AppendStatus.BacklogFull);
            default:
                throw new InvalidOperationException($"{Status} is no result.");
        }
    }

    private static StreamPosition[] Positions(ReadOnlySpan<byte> text)
    {
        var positions = new StreamPosition[text.Count((byte)',') + 1];
        var filled = 0;
        foreach (var range in text.Split((byte)','))
        {
            positions[filled++] = StreamPosition.Parse(text[range]);
        }

        return positions;
    }

    private int Split(Span<Range> fields)
    {
        var count = 0;
        foreach (var range in _text.AsSpan().Split((byte)' '))
        {
            if (count == fields.Length)
            {
                break;
            }

            fields[count++] = range;
        }

        return count;
    }

    private long Number(Range field) =>
        Utf8Parser.TryParse(_text.AsSpan(field), out long value, out _)
            ? value
            : throw new InvalidDataException($"The append script answered '{Encoding.UTF8.GetString(_text)}'.");

    private StreamPosition Position(Range field) => StreamPosition.Parse(_text.AsSpan(field));
}
