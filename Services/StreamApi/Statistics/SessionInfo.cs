namespace AspireStreaming.StreamApi.Statistics;

/// <summary>A session: one connection with subscriptions of its own flow control.</summary>
/// <param name="Replica">The replica.</param>
/// <param name="Id">Its id, which is its connection's.</param>
/// <param name="Transport"><c>grpc</c> or <c>ws</c>.</param>
/// <param name="Remote">The client's address.</param>
/// <param name="Buffered">Events of the log that its subscriptions have not been sent yet.</param>
/// <param name="InFlight">Events sent and not acknowledged.</param>
/// <param name="Publishing">Publishes that wait for their answer.</param>
/// <param name="Retries">How often reads and publishes were tried again.</param>
/// <param name="LastActivity">When something was last received or delivered.</param>
/// <param name="IdleSeconds">How long ago that is.</param>
/// <param name="UptimeSeconds">How long it has been open.</param>
/// <param name="Healthy">Whether it can be written to and its streams can be read.</param>
/// <param name="SubscriptionCount">How many subscriptions it has.</param>
/// <param name="Subscriptions">Those listed.</param>
internal sealed record SessionInfo(
    string Replica,
    string Id,
    string Transport,
    string? Remote,
    long Buffered,
    long InFlight,
    int Publishing,
    long Retries,
    DateTimeOffset LastActivity,
    double IdleSeconds,
    double UptimeSeconds,
    bool Healthy,
    int SubscriptionCount,
    IReadOnlyList<SubscriptionInfo> Subscriptions);

/// <summary>A subscription of a session.</summary>
/// <param name="Sub">The client's name for it.</param>
/// <param name="Stream">The stream.</param>
/// <param name="Position">What was sent last.</param>
/// <param name="Acknowledged">What was acknowledged last.</param>
/// <param name="Buffered">Events of the log that were not sent yet.</param>
/// <param name="Window">Most events that may be unacknowledged; 0 for no limit.</param>
/// <param name="InFlight">Events that are.</param>
/// <param name="Retries">How often a read was tried again.</param>
/// <param name="LastActivity">When something was last sent or acknowledged.</param>
/// <param name="IdleSeconds">How long ago that is.</param>
/// <param name="UptimeSeconds">How long it has been open.</param>
/// <param name="Healthy">Whether its stream can be read.</param>
internal sealed record SubscriptionInfo(
    string Sub,
    string Stream,
    string Position,
    string Acknowledged,
    long Buffered,
    int Window,
    int InFlight,
    long Retries,
    DateTimeOffset LastActivity,
    double IdleSeconds,
    double UptimeSeconds,
    bool Healthy);
