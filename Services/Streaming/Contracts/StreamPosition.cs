using System.Buffers.Text;
using System.Globalization;
using System.Text;

namespace AspireStreaming.Streaming.Contracts;

/// <summary>
/// Where an event stands in its stream: <c>&lt;epoch&gt;-&lt;seq&gt;</c>, compared numerically, epoch first. Within an epoch the
/// sequence is dense, so a hole is arithmetic. The position is the Redis entry ID, the SSE id and the archive's key.
/// </summary>
/// <param name="Epoch">Unix milliseconds at which the epoch began; at most <see cref="MaxValue"/>.</param>
/// <param name="Sequence">1-based number of the event; at most <see cref="MaxValue"/>.</param>
public readonly record struct StreamPosition(long Epoch, long Sequence) : IComparable<StreamPosition>, ISpanFormattable, IUtf8SpanFormattable
{
    /// <summary>Largest epoch or sequence: what a Lua number counts exactly.</summary>
    public const long MaxValue = (1L << 53) - 1;

    /// <summary>Longest text form, in characters.</summary>
    public const int MaxTextLength = 33;

    /// <summary><c>0-0</c>: before everything.</summary>
    public static StreamPosition Zero => default;

    /// <summary>Whether this is <c>0-0</c>.</summary>
    public bool IsZero => this == default;

    /// <summary>The position after this one in the same epoch.</summary>
    public StreamPosition Next => new(Epoch, Sequence + 1);

    /// <inheritdoc/>
    public int CompareTo(StreamPosition other) => Epoch != other.Epoch ? Epoch.CompareTo(other.Epoch) : Sequence.CompareTo(other.Sequence);

    /// <summary>Whether the left position is before the right one.</summary>
    public static bool operator <(StreamPosition left, StreamPosition right) => left.CompareTo(right) < 0;

    /// <summary>Whether the left position is after the right one.</summary>
    public static bool operator >(StreamPosition left, StreamPosition right) => left.CompareTo(right) > 0;

    /// <summary>Whether the left position is not after the right one.</summary>
    public static bool operator <=(StreamPosition left, StreamPosition right) => left.CompareTo(right) <= 0;

    /// <summary>Whether the left position is not before the right one.</summary>
    public static bool operator >=(StreamPosition left, StreamPosition right) => left.CompareTo(right) >= 0;

    /// <summary>Parses <c>&lt;epoch&gt;-&lt;seq&gt;</c>, unsigned decimals without signs or spaces.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out StreamPosition position)
    {
        position = default;
        Span<byte> ascii = stackalloc byte[MaxTextLength];
        return text.Length <= MaxTextLength
            && Encoding.UTF8.TryGetBytes(text, ascii, out var written)
            && TryParse(ascii[..written], out position);
    }

    /// <summary>Parses the UTF-8 form.</summary>
    public static bool TryParse(ReadOnlySpan<byte> text, out StreamPosition position)
    {
        position = default;
        var dash = text.IndexOf((byte)'-');
        if (dash <= 0 || text.Length > MaxTextLength
            || !TryParseNumber(text[..dash], out var epoch) || !TryParseNumber(text[(dash + 1)..], out var sequence))
        {
            return false;
        }

        position = new StreamPosition(epoch, sequence);
        return true;
    }

    /// <summary>Parses a position that we wrote ourselves.</summary>
    /// <exception cref="FormatException">It is not one.</exception>
    public static StreamPosition Parse(ReadOnlySpan<byte> text) =>
        TryParse(text, out var position) ? position : throw new FormatException($"'{Encoding.UTF8.GetString(text)}' is not a stream position.");

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Epoch}-{Sequence}");

    /// <inheritdoc/>
    public string ToString(string? format, IFormatProvider? formatProvider) => ToString();

    /// <inheritdoc/>
    public bool TryFormat(Span<char> destination, out int charsWritten, ReadOnlySpan<char> format, IFormatProvider? provider) =>
        destination.TryWrite(CultureInfo.InvariantCulture, $"{Epoch}-{Sequence}", out charsWritten);

    /// <inheritdoc/>
    public bool TryFormat(Span<byte> utf8Destination, out int bytesWritten, ReadOnlySpan<char> format, IFormatProvider? provider)
    {
        bytesWritten = 0;
        if (!Utf8Formatter.TryFormat(Epoch, utf8Destination, out var head) || head >= utf8Destination.Length)
        {
            return false;
        }

        utf8Destination[head] = (byte)'-';
        if (!Utf8Formatter.TryFormat(Sequence, utf8Destination[(head + 1)..], out var tail))
        {
            return false;
        }

        bytesWritten = head + 1 + tail;
        return true;
    }

    private static bool TryParseNumber(ReadOnlySpan<byte> digits, out long value)
    {
        value = 0;
        return digits.Length is > 0 and <= 16
            && !digits.ContainsAnyExceptInRange((byte)'0', (byte)'9')
            && Utf8Parser.TryParse(digits, out value, out _)
            && value <= MaxValue;
    }
}
