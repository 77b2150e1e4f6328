using System.Globalization;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace AspireStreaming.PublisherApi.Appending;

/// <summary>
/// Degraded while the circuit is open. Half-open is healthy: without a publish nothing would ever close it, and whether Redis itself
/// answers is the business of its own check.
/// </summary>
internal sealed class RedisCircuitHealthCheck(RedisCircuit circuit) : IHealthCheck
{
    public const string Name = "redis-circuit";

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var state = circuit.State;
        return Task.FromResult(state switch
        {
            CircuitState.Open => HealthCheckResult.Degraded(
                string.Create(CultureInfo.InvariantCulture, $"open, tried again in {circuit.Remaining.TotalSeconds:0.#} s")),
            CircuitState.HalfOpen => HealthCheckResult.Healthy("half-open"),
            _ => HealthCheckResult.Healthy("closed"),
        });
    }
}
