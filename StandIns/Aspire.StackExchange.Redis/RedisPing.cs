using StackExchange.Redis;

namespace Aspire.StackExchange.Redis;

/// <summary>The PING under way, at most one: checks that come while it waits for a frozen server share it.</summary>
internal sealed class RedisPing
{
    private readonly Lock _lock = new();
    private Task<TimeSpan>? _pending;

    public Task<TimeSpan> StartOrJoin(IConnectionMultiplexer multiplexer)
    {
        lock (_lock)
        {
            return _pending is { IsCompleted: false } pending ? pending : _pending = multiplexer.GetDatabase().PingAsync();
        }
    }
}
