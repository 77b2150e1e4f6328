using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace AspireStreaming.ServiceDefaults.Health;

internal static class HealthExtensions
{
    // Names under which the client integrations register their checks, with a suffix for keyed clients.
    private static readonly string[] StoreChecks = ["StackExchange.Redis", "PostgreSql"];

    public static void AddDefaultHealth(this IServiceCollection services)
    {
        services.TryAddSingleton<DrainState>();
        services.TryAddSingleton<HealthReporter>();
        services.TryAddSingleton<LongRequests>();
        services.AddHostedService(provider => provider.GetRequiredService<LongRequests>());
        services.AddHealthChecks().AddCheck("self", () => HealthCheckResult.Healthy(), [HealthProbe.LiveTag]);

        // Without a store a service must stay reachable, to say 503 with Retry-After: that is degraded, not unhealthy.
        services.PostConfigure<HealthCheckServiceOptions>(options =>
        {
            foreach (var registration in options.Registrations)
            {
                if (StoreChecks.Any(name => registration.Name.StartsWith(name, StringComparison.Ordinal)))
                {
                    registration.FailureStatus = HealthStatus.Degraded;
                }
            }
        });
    }
}
