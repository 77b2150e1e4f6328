namespace AspireStreaming.StreamApi.Connections;

/// <summary>What all subscriptions share.</summary>
internal sealed record SubscriptionServices(
    ConnectionRegistry Registry, StreamApiMetrics Metrics, TimeProvider Time, ILogger<Subscriber> Logger);
