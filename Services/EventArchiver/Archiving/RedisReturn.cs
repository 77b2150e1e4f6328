using StackExchange.Redis;

namespace AspireStreaming.EventArchiver.Archiving;

/// <summary>Tells when the connection to Redis is back, so that nobody waits longer than that.</summary>
internal sealed class RedisReturn : IDisposable
{
    private readonly IConnectionMultiplexer _redis;
    private TaskCompletionSource _next = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public RedisReturn(IConnectionMultiplexer redis)
    {
        _redis = redis;
        _redis.ConnectionRestored += OnRestored;
    }

    /// <summary>Waits; returns early when the connection comes back meanwhile.</summary>
    public async Task WaitAsync(TimeSpan atMost, TimeProvider time, CancellationToken cancellationToken)
    {
        var next = Volatile.Read(ref _next).Task;
        if (!_redis.IsConnected)
        {
            await Task.WhenAny(next, Task.Delay(atMost, time, cancellationToken));
            cancellationToken.ThrowIfCancellationRequested();
        }
        else
        {
            await Task.Delay(atMost, time, cancellationToken);
        }
    }

    public void Dispose() => _redis.ConnectionRestored -= OnRestored;

    private void OnRestored(object? sender, ConnectionFailedEventArgs arguments)
    {
        // The subscription has a connection of its own, which says nothing about commands.
        if (arguments.ConnectionType == ConnectionType.Interactive)
        {
            Interlocked.Exchange(ref _next, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
        }
    }
}
