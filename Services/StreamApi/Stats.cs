using AspireStreaming.ServiceDefaults.Health;
using AspireStreaming.StreamApi.Connections;
using AspireStreaming.StreamApi.Delivery;

namespace AspireStreaming.StreamApi;

/// <summary>The answer of <c>GET /stats</c>.</summary>
internal sealed record StatsDocument(ConnectionStats Connections, FeedStats Streams, DeliveryStats Delivered, IReadOnlyList<string> Unanswered);

/// <summary>Connections.</summary>
internal sealed record ConnectionStats(int Active, int Max, IReadOnlyDictionary<string, int> Transports, IReadOnlyDictionary<string, int> Tiers);

/// <summary>Streams followed.</summary>
internal sealed record FeedStats(int Active, int Subscribers, long WindowBytes);

/// <summary>Deliveries since the start.</summary>
internal sealed record DeliveryStats(long Events, long Bytes);

/// <summary>Counts what this replica does.</summary>
internal sealed class Stats(ConnectionRegistry connections, FeedRegistry feeds, WindowBudget budget, StreamApiMetrics metrics) : IHealthDetails
{
    public StreamHealth Stream
    {
        get
        {
            var active = feeds.Snapshot();
            return new StreamHealth
            {
                ActiveConnections = connections.Count,
                TotalMessages = metrics.DeliveredTotal,
                MaxConnections = connections.Max,
                TotalStreams = active.Length,
                HealthyStreams = active.Count(feed => feed.IsHealthy),
                Subscribers = active.Sum(feed => feed.Readers),
            };
        }
    }

    public WorkflowHealth Workflows => new();

    /// <summary>Connections by transport.</summary>
    public Dictionary<string, int> CountTransports() => Count(connections.All, connection => connection.Transport);

    /// <summary>Cursors by the tier that they read.</summary>
    public Dictionary<string, int> CountTiers() => Count(connections.All.SelectMany(connection => connection.Followers), follower => follower.Tier switch
    {
        Tier.Window => "window",
        Tier.Log => "log",
        _ => "archive",
    });

    /// <summary>The document of <c>GET /stats</c>.</summary>
    public StatsDocument Describe() => new(
        new ConnectionStats(connections.Count, connections.Max, CountTransports(), CountTiers()),
        new FeedStats(feeds.Count, feeds.Snapshot().Sum(feed => feed.Readers), budget.Used),
        new DeliveryStats(metrics.DeliveredTotal, metrics.DeliveredBytes),
        []);

    private static Dictionary<string, int> Count<T>(IEnumerable<T> items, Func<T, string> key) =>
        items.CountBy(key).ToDictionary(pair => pair.Key, pair => pair.Value, StringComparer.Ordinal);
}
