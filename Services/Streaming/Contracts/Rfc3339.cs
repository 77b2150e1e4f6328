using System.Globalization;

namespace AspireStreaming.Streaming.Contracts;

/// <summary>RFC 3339 times with milliseconds in UTC, as the hot log stamps them.</summary>
public static class Rfc3339
{
    /// <summary>Length of <c>yyyy-MM-ddTHH:mm:ss.fffZ</c>.</summary>
    public const int Length = 24;

    private const string Pattern = "yyyy-MM-dd'T'HH:mm:ss.fff'Z'";

    private static readonly string[] Accepted =
    [
        "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK", "yyyy-MM-dd't'HH:mm:ss.FFFFFFFK", "yyyy-MM-dd' 'HH:mm:ss.FFFFFFFK",
    ];

    /// <summary>Writes Unix milliseconds as UTF-8.</summary>
    /// <returns>The number of bytes, always <see cref="Length"/>.</returns>
    public static int Format(long unixMilliseconds, Span<byte> destination)
    {
        // Written digit by digit: the general formatter was one of the larger single costs of a publish.
        var time = DateTimeOffset.FromUnixTimeMilliseconds(unixMilliseconds);
        "0000-00-00T00:00:00.000Z"u8.CopyTo(destination);
        var (year, month, day) = time.DateTime;
        Digits(year, destination[..4]);
        Digits(month, destination[5..7]);
        Digits(day, destination[8..10]);
        Digits(time.Hour, destination[11..13]);
        Digits(time.Minute, destination[14..16]);
        Digits(time.Second, destination[17..19]);
        Digits(time.Millisecond, destination[20..23]);
        return Length;
    }

    /// <summary>Unix milliseconds as text.</summary>
    public static string Format(long unixMilliseconds) =>
        DateTimeOffset.FromUnixTimeMilliseconds(unixMilliseconds).ToString(Pattern, CultureInfo.InvariantCulture);

    private static void Digits(int value, Span<byte> destination)
    {
        for (var index = destination.Length - 1; index >= 0; index--)
        {
            (value, var digit) = Math.DivRem(value, 10);
            destination[index] = (byte)('0' + digit);
        }
    }

    /// <summary>Parses an RFC 3339 time: date, time and offset are required; a fraction of up to nine digits is kept to 100 ns.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out DateTimeOffset time)
    {
        time = default;
        if (text.Length is < 20 or > 35 || !(text[^1] is 'Z' or 'z' || text[^6] is '+' or '-'))
        {
            return false;
        }

        // .NET reads at most seven digits of a fraction; RFC 3339 sets no limit.
        var dot = text.IndexOf('.');
        if (dot > 0)
        {
            var digits = text[(dot + 1)..].IndexOfAnyExceptInRange('0', '9');
            if (digits <= 0)
            {
                return false;
            }

            if (digits > 7)
            {
                text = string.Concat(text[..(dot + 8)], text[(dot + 1 + digits)..]);
            }
        }

        Span<char> upper = stackalloc char[text.Length];
        text.ToUpperInvariant(upper);
        return DateTimeOffset.TryParseExact(upper, Accepted, CultureInfo.InvariantCulture, DateTimeStyles.None, out time);
    }
}
