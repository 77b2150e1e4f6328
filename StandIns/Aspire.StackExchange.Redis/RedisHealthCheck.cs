using Microsoft.Extensions.Diagnostics.HealthChecks;
using StackExchange.Redis;

namespace Aspire.StackExchange.Redis;

/// <summary>
/// PING with a timeout of its own: in this version of the client an asynchronous command has none, so against a frozen
/// server it would wait until the connection is given up.
/// </summary>
internal sealed class RedisHealthCheck(Func<IConnectionMultiplexer> resolve, RedisPing ping) : IHealthCheck
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(2);

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            var multiplexer = resolve();
            if (!multiplexer.IsConnected)
            {
                return new HealthCheckResult(context.Registration.FailureStatus, "Not connected.");
            }

            await ping.StartOrJoin(multiplexer).WaitAsync(Timeout, cancellationToken);
            return HealthCheckResult.Healthy();
        }
        catch (TimeoutException)
        {
            return new HealthCheckResult(context.Registration.FailureStatus, $"No answer to PING within {Timeout.TotalSeconds:0} s.");
        }
        catch (Exception exception) when (exception is RedisException or InvalidOperationException or ObjectDisposedException)
        {
            return new HealthCheckResult(context.Registration.FailureStatus, exception.Message, exception);
        }
    }
}
