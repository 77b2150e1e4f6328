using StackExchange.Redis;

namespace AspireStreaming.Streaming.Redis;

/// <summary>The gate to Redis, which any connection of the process that comes back also opens.</summary>
public sealed class RedisGate : RetryGate, IDisposable
{
    private readonly IConnectionMultiplexer _redis;

    /// <summary>Follows the connections of a multiplexer.</summary>
    public RedisGate(IConnectionMultiplexer redis, TimeProvider time)
        : base(time)
    {
        _redis = redis;
        redis.ConnectionRestored += OnRestored;
    }

    /// <summary>Raised when a connection to Redis is back or was replaced: what was told meanwhile is lost.</summary>
    public event Action? Restored;

    /// <summary>A connection is back: ends all waits.</summary>
    public void Returned()
    {
        Open();
        Restored?.Invoke();
    }

    /// <inheritdoc/>
    public void Dispose() => _redis.ConnectionRestored -= OnRestored;

    private void OnRestored(object? sender, ConnectionFailedEventArgs arguments) => Returned();
}
