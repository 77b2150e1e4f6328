using AspireStreaming.StreamApi.Connections;
using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.StreamApi.Statistics;
using Microsoft.Extensions.Options;

namespace AspireStreaming.StreamApi.Fleet;

/// <summary>Answers questions for this replica, its own and those of the others alike.</summary>
internal sealed class LocalAnswers(
    ConnectionRegistry connections, FeedRegistry feeds, Stats stats, ReplicaIdentity identity, IOptions<FleetOptions> options)
{
    /// <summary>What rows may take of a message; the rest is for what is around them.</summary>
    private readonly int _maxBytes = options.Value.MaxMessageBytes - (8 << 10);

    /// <summary>This replica's answer.</summary>
    public FleetReply Answer(FleetQuestion question) => question.Subject switch
    {
        FleetSubject.Subscribers => CountSubscribers(question.Streams ?? []),
        FleetSubject.Connections => ListConnections(Math.Clamp(question.Limit, 1, FleetQuestion.MaxItems), question.Connection),
        FleetSubject.Close => new FleetReply(identity.Id, Closed: connections.Close(question.Connection ?? "")),
        FleetSubject.Stats => new FleetReply(identity.Id, Stats: stats.Describe()),
        _ => throw new InvalidDataException($"The subject {question.Subject} is unknown here."),
    };

    private FleetReply CountSubscribers(IReadOnlyList<string> streams)
    {
        var counts = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var stream in streams.Take(FleetQuestion.MaxItems))
        {
            if (feeds.Find(stream)?.Readers is { } readers and > 0)
            {
                counts[stream] = readers;
            }
        }

        return new FleetReply(identity.Id, counts);
    }

    /// <summary>By id, which is by age: so a page goes on where the one before ended, whatever came and went meanwhile.</summary>
    private FleetReply ListConnections(int limit, string? after)
    {
        var all = connections.All.ToArray();
        var later = all.Where(connection => after is null || string.CompareOrdinal(connection.Id, after) > 0)
            .OrderBy(connection => connection.Id, StringComparer.Ordinal).Take(limit + 1).ToArray();
        var name = identity.Self.Name;
        var rows = new List<ConnectionRow>(later.Length);
        var bytes = 0;
        foreach (var connection in later.Take(limit))
        {
            // A session may follow a thousand streams, and a thousand of those are no message.
            var row = ConnectionRow.Of(connection, name);
            bytes += row.MaxBytes;
            if (rows.Count > 0 && bytes > _maxBytes)
            {
                break;
            }

            rows.Add(row);
        }

        return new FleetReply(identity.Id, Connections: rows, Total: all.Length, HasMore: later.Length > rows.Count);
    }
}
