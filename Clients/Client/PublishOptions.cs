using System.Globalization;

namespace AspireStreaming.Client;

/// <summary>How events are published.</summary>
public sealed record PublishOptions
{
    /// <summary>
    /// The position that must be the stream's last, <c>0-0</c> for a new stream; else the publish fails with status 409 and
    /// <see cref="ApiProblem.Current"/>. Null = not checked.
    /// </summary>
    public StreamPosition? Expected { get; init; }

    /// <summary>Where the events must be before they are acknowledged. Default: the hot log.</summary>
    public Durability Durability { get; init; }

    /// <summary>How long to wait for the archive, in whole seconds; null = the service's 10 s. After it the receipt says <c>Log</c>.</summary>
    public TimeSpan? ArchiveWithin { get; init; }

    /// <summary>For streams of events: told of each acknowledgement as it comes.</summary>
    public Action<PublishReceipt>? Acknowledged { get; init; }

    internal string ToQuery()
    {
        var query = "";
        if (Expected is { } expected)
        {
            query = $"?expected={expected}";
        }

        if (Durability == Durability.Archived)
        {
            query += (query.Length == 0 ? "?" : "&") + "durability=archived";
            if (ArchiveWithin is { } timeout)
            {
                query += string.Create(CultureInfo.InvariantCulture, $"&timeout={(int)Math.Ceiling(timeout.TotalSeconds)}");
            }
        }

        return query;
    }
}
