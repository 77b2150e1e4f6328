using AspireStreaming.ServiceDefaults.Health;

namespace AspireStreaming.StreamApi.Statistics;

/// <summary>The answer of <c>GET /stats</c>: sums over all replicas that answered, and their parts.</summary>
/// <param name="Connections">Connections of all.</param>
/// <param name="Streams">Streams followed; one that several replicas follow counts for each.</param>
/// <param name="Delivered">Deliveries since each replica's start.</param>
/// <param name="Workflows">Runs that the replicas have seen.</param>
/// <param name="Feeds">The followed streams with the most subscribers, at most 100 a replica.</param>
/// <param name="Sessions">Sessions, at most 100 a replica.</param>
/// <param name="Truncated">Whether there are more feeds, sessions or subscriptions than are listed.</param>
/// <param name="Replicas">What each replica counts.</param>
/// <param name="Unanswered">Replicas that did not answer in time.</param>
/// <param name="Partial">Whether something is missing, named in <paramref name="Unanswered"/> or not known.</param>
internal sealed record StatsDocument(
    ConnectionStats Connections,
    FeedStats Streams,
    DeliveryStats Delivered,
    WorkflowHealth Workflows,
    IReadOnlyList<FeedInfo> Feeds,
    IReadOnlyList<SessionInfo> Sessions,
    bool Truncated,
    IReadOnlyList<ReplicaCounts> Replicas,
    IReadOnlyList<string> Unanswered,
    bool Partial);

/// <summary>What one replica counts.</summary>
internal sealed record ReplicaCounts(
    string Name,
    string? Address,
    DateTimeOffset Since,
    double UptimeSeconds,
    ConnectionStats Connections,
    FeedStats Streams,
    DeliveryStats Delivered,
    WorkflowHealth Workflows);

/// <summary>What one replica tells of itself.</summary>
internal sealed record ReplicaStats(ReplicaCounts Counts, IReadOnlyList<FeedInfo> Feeds, IReadOnlyList<SessionInfo> Sessions, bool Truncated);

/// <summary>Connections.</summary>
internal sealed record ConnectionStats(int Active, int Max, IReadOnlyDictionary<string, int> Transports, IReadOnlyDictionary<string, int> Tiers);

/// <summary>Streams followed.</summary>
internal sealed record FeedStats(int Active, int Healthy, int Subscribers, long WindowBytes);

/// <summary>Deliveries since the start.</summary>
internal sealed record DeliveryStats(long Events, long Bytes);
