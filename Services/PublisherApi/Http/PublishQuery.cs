using System.Globalization;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.PublisherApi.Http;

/// <summary>What the query string of a publish asks for.</summary>
/// <param name="Expected">The position at which the stream must stand.</param>
/// <param name="ArchiveTimeout">How long to wait for the archive; null = not at all.</param>
internal readonly record struct PublishQuery(StreamPosition? Expected, TimeSpan? ArchiveTimeout)
{
    private const double DefaultTimeoutSeconds = 10;
    private const double MaxTimeoutSeconds = 60;

    public static Problem? TryRead(HttpRequest request, out PublishQuery query)
    {
        query = default;
        if (!request.QueryString.HasValue)
        {
            return null;
        }

        return TryReadOne(request, "expected", out var expected)
            ?? TryReadOne(request, "durability", out var durability)
            ?? TryReadOne(request, "timeout", out var timeout)
            ?? TryRead(expected, durability, timeout, out query);
    }

    private static Problem? TryReadOne(HttpRequest request, string name, out string? value)
    {
        var values = request.Query[name];
        value = values.Count == 1 ? values[0] : null;
        return values.Count > 1 ? Problem.Parameter(name, $"'{name}' is given more than once.") : null;
    }

    private static Problem? TryRead(string? expected, string? durability, string? timeout, out PublishQuery query)
    {
        query = default;
        StreamPosition? position = null;
        if (expected is not null)
        {
            if (!StreamPosition.TryParse(expected, out var parsed))
            {
                return Problem.Parameter("expected", "'expected' must be a position, <epoch>-<seq>; 0-0 for a new stream.");
            }

            position = parsed;
        }

        if (durability is not (null or "log" or "archived"))
        {
            return Problem.Parameter("durability", "'durability' must be 'log' or 'archived'.");
        }

        var seconds = DefaultTimeoutSeconds;
        if (timeout is not null
            && !(double.TryParse(timeout, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out seconds)
                && seconds is >= 1 and <= MaxTimeoutSeconds))
        {
            return Problem.Parameter("timeout", $"'timeout' must be 1 to {MaxTimeoutSeconds} seconds.");
        }

        query = new PublishQuery(position, durability == "archived" ? TimeSpan.FromSeconds(seconds) : null);
        return null;
    }
}
