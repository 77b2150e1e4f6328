using System.Globalization;
using System.Text;

namespace AspireStreaming.Client;

/// <summary>Where an event stands in its stream: <c>&lt;epoch&gt;-&lt;seq&gt;</c>, compared numerically, epoch first.</summary>
/// <param name="Epoch">Unix milliseconds; rises when the stream starts anew or the log may have lost its tail.</param>
/// <param name="Sequence">Dense within an epoch: the next event is always one more.</param>
public readonly record struct StreamPosition(long Epoch, long Sequence) : IComparable<StreamPosition>
{
    private const int MaxTextLength = 40;

    /// <summary><c>0-0</c>, before everything.</summary>
    public static StreamPosition Zero => default;

    /// <summary>Earlier in the stream.</summary>
    public static bool operator <(StreamPosition left, StreamPosition right) => left.CompareTo(right) < 0;

    /// <summary>Later in the stream.</summary>
    public static bool operator >(StreamPosition left, StreamPosition right) => left.CompareTo(right) > 0;

    /// <summary>Not later in the stream.</summary>
    public static bool operator <=(StreamPosition left, StreamPosition right) => left.CompareTo(right) <= 0;

    /// <summary>Not earlier in the stream.</summary>
    public static bool operator >=(StreamPosition left, StreamPosition right) => left.CompareTo(right) >= 0;

    /// <summary>Reads <c>&lt;epoch&gt;-&lt;seq&gt;</c>.</summary>
    /// <exception cref="FormatException">It is none.</exception>
    public static StreamPosition Parse(string text) =>
        TryParse(text, out var position) ? position : throw new FormatException($"'{text}' is not a position (<epoch>-<seq>).");

    /// <summary>Reads <c>&lt;epoch&gt;-&lt;seq&gt;</c>.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out StreamPosition position)
    {
        position = default;
        Span<byte> utf8 = stackalloc byte[MaxTextLength];
        return Encoding.UTF8.TryGetBytes(text, utf8, out var length) && TryParse(utf8[..length], out position);
    }

    /// <summary>Reads <c>&lt;epoch&gt;-&lt;seq&gt;</c> in UTF-8.</summary>
    public static bool TryParse(ReadOnlySpan<byte> utf8, out StreamPosition position)
    {
        position = default;
        var dash = utf8.IndexOf((byte)'-');
        if (dash <= 0
            || !long.TryParse(utf8[..dash], NumberStyles.None, CultureInfo.InvariantCulture, out var epoch)
            || !long.TryParse(utf8[(dash + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var sequence))
        {
            return false;
        }

        position = new StreamPosition(epoch, sequence);
        return true;
    }

    /// <inheritdoc/>
    public int CompareTo(StreamPosition other) => Epoch != other.Epoch ? Epoch.CompareTo(other.Epoch) : Sequence.CompareTo(other.Sequence);

    /// <summary><c>&lt;epoch&gt;-&lt;seq&gt;</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Epoch}-{Sequence}");
}
