using AspireStreaming.StreamApi.Statistics;
using AspireStreaming.V1;

namespace AspireStreaming.StreamApi.Rpc;

/// <summary>The document of <c>/stats</c> as a gRPC message.</summary>
internal static class GrpcStats
{
    public static StatsResponse ToResponse(StatsDocument document)
    {
        var response = new StatsResponse
        {
            ActiveConnections = document.Connections.Active,
            MaxConnections = document.Connections.Max,
            Subscribers = document.Streams.Subscribers,
            TotalStreams = document.Streams.Active,
            HealthyStreams = document.Streams.Healthy,
            TotalMessages = document.Delivered.Events,
            Replicas = document.Replicas.Count,
            Truncated = document.Truncated,
        };
        response.Unanswered.AddRange(document.Unanswered);
        response.Sessions.AddRange(document.Sessions.Select(ToStats));
        response.Streams.AddRange(document.Feeds.Select(ToStats));
        return response;
    }

    private static SessionStats ToStats(SessionInfo session)
    {
        var stats = new SessionStats
        {
            Id = session.Id,
            Transport = session.Transport,
            Remote = session.Remote ?? "",
            UptimeSeconds = session.UptimeSeconds,
            IdleSeconds = session.IdleSeconds,
            Healthy = session.Healthy,
            Buffered = session.Buffered,
            InFlight = session.InFlight,
            Publishing = session.Publishing,
            Retries = session.Retries,
            SubscriptionCount = session.SubscriptionCount,
        };
        stats.Subscriptions.AddRange(session.Subscriptions.Select(ToStats));
        return stats;
    }

    private static SubscriptionStats ToStats(SubscriptionInfo subscription) => new()
    {
        Sub = subscription.Sub,
        Stream = subscription.Stream,
        Position = subscription.Position,
        Acknowledged = subscription.Acknowledged,
        Buffered = subscription.Buffered,
        Window = subscription.Window,
        InFlight = subscription.InFlight,
        Retries = subscription.Retries,
        UptimeSeconds = subscription.UptimeSeconds,
        IdleSeconds = subscription.IdleSeconds,
        Healthy = subscription.Healthy,
    };

    private static StreamStats ToStats(FeedInfo feed) => new()
    {
        Stream = feed.Stream,
        Subscribers = feed.Subscribers,
        Buffered = feed.Buffered,
        BufferedBytes = feed.BufferedBytes,
        LastPosition = feed.Position,
        Retries = feed.Retries,
        UptimeSeconds = feed.UptimeSeconds,
        IdleSeconds = feed.IdleSeconds,
        Healthy = feed.Healthy,
    };
}
