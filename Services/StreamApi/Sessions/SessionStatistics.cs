using AspireStreaming.StreamApi.Connections;
using AspireStreaming.StreamApi.Statistics;
using Microsoft.Extensions.Options;

namespace AspireStreaming.StreamApi.Sessions;

/// <summary>Describes the sessions of this replica. What it reads moves meanwhile; it is exact where nothing happens.</summary>
internal sealed class SessionStatistics(ConnectionRegistry connections, IOptions<DeliveryOptions> options, TimeProvider time) : ISessionStatistics
{
    private readonly double _patience = options.Value.Heartbeat.TotalMilliseconds;

    public IReadOnlyList<SessionInfo> Describe(string replica, int maxSessions, int maxSubscriptions, out bool truncated)
    {
        var sessions = connections.All.OfType<Session>().OrderBy(session => session.Since).ToArray();
        truncated = sessions.Length > maxSessions;
        var described = new List<SessionInfo>(Math.Min(sessions.Length, maxSessions));
        foreach (var session in sessions.Take(maxSessions))
        {
            var subscriptions = session.Subscriptions.All.Where(subscription => !subscription.IsEnded)
                .OrderBy(subscription => subscription.OpenedAt).ToArray();
            truncated |= subscriptions.Length > maxSubscriptions;
            described.Add(Describe(replica, session, subscriptions, maxSubscriptions));
            maxSubscriptions = Math.Max(0, maxSubscriptions - subscriptions.Length);
        }

        return described;
    }

    private SessionInfo Describe(string replica, Session session, SessionSubscription[] subscriptions, int most)
    {
        var now = time.GetUtcNow();
        var idle = time.GetElapsedTime(session.ActiveAt);
        return new SessionInfo(
            replica,
            session.Id,
            session.Transport,
            session.Remote,
            subscriptions.Sum(subscription => subscription.Follower?.Lag ?? 0),
            session.Subscriptions.InFlight,
            session.Publishes.Count,
            session.Publishes.Retries + subscriptions.Sum(subscription => subscription.Follower?.Retries ?? 0),
            now - idle,
            idle.TotalSeconds,
            (now - session.Since).TotalSeconds,
            !IsStuck(session) && subscriptions.All(subscription => subscription.Follower?.IsHealthy != false),
            subscriptions.Length,
            [.. subscriptions.Take(most).Select(subscription => Describe(subscription, now))]);
    }

    /// <summary>Whether a write has waited for the client longer than a heartbeat.</summary>
    private bool IsStuck(Session session) => session.WritingSince is var since and not 0 && connections.Now - since > _patience;

    private SubscriptionInfo Describe(SessionSubscription subscription, DateTimeOffset now)
    {
        var idle = time.GetElapsedTime(subscription.ActiveAt);
        var follower = subscription.Follower;
        return new SubscriptionInfo(
            subscription.Sub,
            subscription.Stream,
            subscription.Position.ToString(),
            subscription.Window.Acknowledged.ToString(),
            follower?.Lag ?? 0,
            subscription.Window.Limit,
            subscription.Window.InFlight,
            follower?.Retries ?? 0,
            now - idle,
            idle.TotalSeconds,
            time.GetElapsedTime(subscription.OpenedAt).TotalSeconds,
            follower?.IsHealthy ?? false);
    }
}
