using System.Globalization;
using System.Text;

namespace AspireStreaming.Cli.Client;

/// <summary>Where an event stands in its stream: <c>&lt;epoch&gt;-&lt;seq&gt;</c>, compared numerically, epoch first.</summary>
internal readonly record struct StreamPosition(long Epoch, long Sequence) : IComparable<StreamPosition>
{
    private const int MaxTextLength = 40;

    public static StreamPosition Zero => default;

    public static bool operator <(StreamPosition left, StreamPosition right) => left.CompareTo(right) < 0;

    public static bool operator >(StreamPosition left, StreamPosition right) => left.CompareTo(right) > 0;

    public static bool operator <=(StreamPosition left, StreamPosition right) => left.CompareTo(right) <= 0;

    public static bool operator >=(StreamPosition left, StreamPosition right) => left.CompareTo(right) >= 0;

    public static bool TryParse(ReadOnlySpan<char> text, out StreamPosition position)
    {
        position = default;
        Span<byte> utf8 = stackalloc byte[MaxTextLength];
        return Encoding.UTF8.TryGetBytes(text, utf8, out var length) && TryParse(utf8[..length], out position);
    }

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

    public int CompareTo(StreamPosition other) => Epoch != other.Epoch ? Epoch.CompareTo(other.Epoch) : Sequence.CompareTo(other.Sequence);

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Epoch}-{Sequence}");
}
