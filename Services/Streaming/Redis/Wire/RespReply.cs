using System.Buffers.Text;
using System.Text;

namespace AspireStreaming.Streaming.Redis.Wire;

/// <summary>What kind of reply it is.</summary>
internal enum RespKind : byte
{
    Simple = (byte)'+',
    Error = (byte)'-',
    Integer = (byte)':',
    Bulk = (byte)'$',
    Array = (byte)'*',
}

/// <summary>A reply of Redis (RESP2), where it was received.</summary>
internal readonly ref struct RespReply
{
    /// <summary>Longest line: a number, a status or an error.</summary>
    private const int MaxLine = 64 << 10;

    /// <summary>Largest string; a wake is under 100 KiB, and so are the answers of the append script.</summary>
    private const int MaxBulk = 64 << 20;

    private const int MaxElements = 1 << 20;

    /// <summary>An array in an array is the most that is ever answered here.</summary>
    private const int MaxDepth = 2;

    private RespReply(RespKind kind, ReadOnlySpan<byte> value, int count)
    {
        Kind = kind;
        Value = value;
        Count = count;
    }

    public RespKind Kind { get; }

    /// <summary>Its text; of an array, its elements as they were received.</summary>
    public ReadOnlySpan<byte> Value { get; }

    /// <summary>Number of an array's elements; -1 for what is null.</summary>
    public int Count { get; }

    /// <summary>Text of an error or a status.</summary>
    public string Text => Encoding.UTF8.GetString(Value);

    /// <summary>Whether it is an error that begins so.</summary>
    public bool IsError(ReadOnlySpan<byte> code) => Kind == RespKind.Error && Value.StartsWith(code);

    /// <summary>Takes the first reply of what was received.</summary>
    /// <param name="received">What was received.</param>
    /// <param name="reply">The reply.</param>
    /// <param name="length">Bytes that it takes.</param>
    /// <returns>False when it is not there as a whole yet.</returns>
    /// <exception cref="InvalidDataException">It is no reply of Redis, or one that is larger than any that is asked for.</exception>
    public static bool TryRead(ReadOnlySpan<byte> received, out RespReply reply, out int length) =>
        TryRead(received, MaxDepth, out reply, out length);

    private static bool TryRead(ReadOnlySpan<byte> received, int depth, out RespReply reply, out int length)
    {
        reply = default;
        length = 0;
        var end = received[..Math.Min(received.Length, MaxLine)].IndexOf((byte)'\n');
        if (end < 0)
        {
            return received.Length < MaxLine ? false : throw Damaged();
        }

        if (end < 2 || received[end - 1] != '\r')
        {
            throw Damaged();
        }

        var line = received[1..(end - 1)];
        length = end + 1;
        switch ((RespKind)received[0])
        {
            case RespKind.Simple or RespKind.Error or RespKind.Integer:
                reply = new RespReply((RespKind)received[0], line, 0);
                return true;
            case RespKind.Bulk:
                var size = Number(line, MaxBulk);
                if (size < 0)
                {
                    reply = new RespReply(RespKind.Bulk, default, -1);
                    return true;
                }

                if (received.Length < length + size + 2)
                {
                    return false;
                }

                reply = new RespReply(RespKind.Bulk, received.Slice(length, size), 0);
                length += size + 2;
                return received[length - 2] == '\r' && received[length - 1] == '\n' ? true : throw Damaged();
            case RespKind.Array when depth > 0:
                var count = Number(line, MaxElements);
                for (var element = 0; element < count; element++)
                {
                    if (!TryRead(received[length..], depth - 1, out _, out var taken))
                    {
                        return false;
                    }

                    length += taken;
                }

                reply = new RespReply(RespKind.Array, received[(end + 1)..length], count);
                return true;
            default:
                throw Damaged();
        }
    }

    private static int Number(ReadOnlySpan<byte> line, int most) =>
        Utf8Parser.TryParse(line, out int number, out var length) && length == line.Length && number >= -1 && number <= most ? number : throw Damaged();

    private static InvalidDataException Damaged() => new("What came from Redis is no reply.");
}
