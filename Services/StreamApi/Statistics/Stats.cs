using AspireStreaming.ServiceDefaults.Health;
using AspireStreaming.StreamApi.Connections;
using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.StreamApi.Fleet;

namespace AspireStreaming.StreamApi.Statistics;

/// <summary>Counts what this replica does.</summary>
internal sealed class Stats(
    ConnectionRegistry connections,
    FeedRegistry feeds,
    WindowBudget budget,
    WorkflowTally tally,
    StreamApiMetrics metrics,
    ReplicaIdentity identity,
    TimeProvider time,
    IEnumerable<ISessionStatistics> sessions) : IHealthDetails
{
    private const int MaxFeeds = 100;
    private const int MaxSessions = 100;
    private const int MaxSubscriptions = 1_000;

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

    /// <summary>Those that run among the streams followed now, and those that ended while they were followed.</summary>
    public WorkflowHealth Workflows
    {
        get
        {
            var running = feeds.Snapshot().Count(feed => feed.Tail is { Last.IsZero: false, End: null });
            return new WorkflowHealth(running + tally.Ended, running, tally.Completed, tally.Failed, tally.Cancelled);
        }
    }

    /// <summary>Connections by transport.</summary>
    public Dictionary<string, int> CountTransports() => Count(connections.All, connection => connection.Transport);

    /// <summary>Cursors by the tier that they read.</summary>
    public Dictionary<string, int> CountTiers() => Count(connections.All.SelectMany(connection => connection.Followers), follower => follower.Tier switch
    {
        Tier.Window => "window",
        Tier.Log => "log",
        _ => "archive",
    });

    /// <summary>This replica's part of <c>GET /stats</c>.</summary>
    public ReplicaStats Describe()
    {
        var now = time.GetUtcNow();
        var active = feeds.Snapshot();
        var self = identity.Self;
        var counts = new ReplicaCounts(
            self.Name,
            self.Address,
            identity.Since,
            (now - identity.Since).TotalSeconds,
            new ConnectionStats(connections.Count, connections.Max, CountTransports(), CountTiers()),
            new FeedStats(active.Length, active.Count(feed => feed.IsHealthy), active.Sum(feed => feed.Readers), budget.Used),
            new DeliveryStats(metrics.DeliveredTotal, metrics.DeliveredBytes),
            Workflows);
        var truncated = active.Length > MaxFeeds;
        var described = new List<SessionInfo>();
        foreach (var source in sessions)
        {
            described.AddRange(source.Describe(self.Name, MaxSessions, MaxSubscriptions, out var more));
            truncated |= more;
        }

        return new ReplicaStats(
            counts,
            [.. active.OrderByDescending(feed => feed.Readers).ThenBy(feed => feed.Stream, StringComparer.Ordinal)
                .Take(MaxFeeds).Select(feed => feed.Describe(self.Name, now))],
            described,
            truncated);
    }

    private static Dictionary<string, int> Count<T>(IEnumerable<T> items, Func<T, string> key) =>
        items.CountBy(key).ToDictionary(pair => pair.Key, pair => pair.Value, StringComparer.Ordinal);
}
