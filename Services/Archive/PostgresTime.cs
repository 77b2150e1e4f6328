using System.Text;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.Archive;

/// <summary>Times as PostgreSQL counts them: microseconds since 2000-01-01 UTC.</summary>
internal static class PostgresTime
{
    private const long Epoch2000Ticks = 630_822_816_000_000_000;

    /// <summary>Milliseconds since 1970 as microseconds since 2000, PostgreSQL's own count.</summary>
    public static long FromUnixMilliseconds(long unixMilliseconds) => (unixMilliseconds * 1000) - 946_684_800_000_000;

    /// <summary>The reverse of <see cref="FromUnixMilliseconds"/>.</summary>
    public static long ToUnixMilliseconds(long microseconds) => (microseconds + 946_684_800_000_000) / 1000;

    /// <summary>Reads <c>"yyyy-MM-ddTHH:mm:ss.fffZ"</c>, the form that <see cref="Rfc3339.Format(long, Span{byte})"/> gives back.</summary>
    public static bool TryReadCanonical(ReadOnlySpan<byte> token, out long? time)
    {
        time = null;
        if (token.Length != Rfc3339.Length + 2 || token[5] != '-' || token[8] != '-' || token[11] != 'T' || token[14] != ':'
            || token[17] != ':' || token[20] != '.' || token[24] != 'Z')
        {
            return false;
        }

        if (!Number(token[1..5], out var year) || !Number(token[6..8], out var month) || !Number(token[9..11], out var day)
            || !Number(token[12..14], out var hour) || !Number(token[15..17], out var minute) || !Number(token[18..20], out var second)
            || !Number(token[21..24], out var millisecond)
            || year < 1 || month is < 1 or > 12 || day < 1 || day > DateTime.DaysInMonth(year, month) || hour > 23 || minute > 59 || second > 59)
        {
            return false;
        }

        time = FromTicks(new DateTime(year, month, day, hour, minute, second, millisecond, DateTimeKind.Utc).Ticks);
        return true;
    }

    /// <summary>Reads any RFC 3339 time; null where it is none.</summary>
    public static long? Read(ReadOnlySpan<byte> token) =>
        Rfc3339.TryParse(Encoding.UTF8.GetString(token[1..^1]), out var time) ? FromTicks(time.UtcTicks) : null;

    /// <summary>From ticks of .NET, rounded down.</summary>
    public static long FromTicks(long ticks)
    {
        var (microseconds, rest) = Math.DivRem(ticks - Epoch2000Ticks, TimeSpan.TicksPerMicrosecond);
        return rest < 0 ? microseconds - 1 : microseconds;
    }

    private static bool Number(ReadOnlySpan<byte> digits, out int value)
    {
        value = 0;
        foreach (var digit in digits)
        {
            if (digit is < (byte)'0' or > (byte)'9')
            {
                return false;
            }

            value = (value * 10) + (digit - '0');
        }

        return true;
    }
}
