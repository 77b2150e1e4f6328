using Microsoft.Extensions.Diagnostics.HealthChecks;
using StackExchange.Redis;

namespace AspireStreaming.Streaming.Redis;

/// <summary>
/// Degraded when Redis may evict keys: what it evicts may not be archived, and a stream without its meta begins anew.
/// </summary>
internal sealed class RedisPolicyHealthCheck(IConnectionMultiplexer redis, TimeProvider time) : IHealthCheck
{
    public const string Name = "redis-maxmemory-policy";

    private const string Wanted = "noeviction";
    private const string Field = "maxmemory_policy:";

    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(1);

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            // INFO tells it also where CONFIG is forbidden.
            var info = (string)(await redis.GetDatabase().ExecuteAsync("INFO", "memory").WaitAsync(Timeout, time, cancellationToken).ConfigureAwait(false))!;
            var policy = info.Split('\n').FirstOrDefault(line => line.StartsWith(Field, StringComparison.Ordinal))?[Field.Length..].Trim();
            return policy == Wanted
                ? HealthCheckResult.Healthy(policy)
                : HealthCheckResult.Degraded($"maxmemory-policy is '{policy}', not '{Wanted}': events may be evicted before they are archived.");
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException or ObjectDisposedException)
        {
            return HealthCheckResult.Degraded("Not known while Redis does not answer.");
        }
    }
}
