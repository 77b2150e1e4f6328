using StackExchange.Redis;

namespace AspireStreaming.StreamApi.Delivery;

/// <summary>The gate to Redis, which a connection that comes back also opens.</summary>
internal sealed class RedisGate : RetryGate, IDisposable
{
    private readonly IConnectionMultiplexer _redis;

    public RedisGate(IConnectionMultiplexer redis, TimeProvider time)
        : base(time)
    {
        _redis = redis;
        redis.ConnectionRestored += OnRestored;
    }

    /// <summary>Raised when a connection to Redis is back.</summary>
    public event Action? Restored;

    public void Dispose() => _redis.ConnectionRestored -= OnRestored;

    private void OnRestored(object? sender, ConnectionFailedEventArgs arguments)
    {
        Open();
        Restored?.Invoke();
    }
}
