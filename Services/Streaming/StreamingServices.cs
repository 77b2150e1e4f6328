using AspireStreaming.Streaming.Redis;
using AspireStreaming.Streaming.Redis.Link;
using AspireStreaming.Streaming.Redis.Wire;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireStreaming.Streaming;

/// <summary>Registers what services share.</summary>
public static class StreamingServices
{
    /// <summary>
    /// Adds <see cref="HotLog"/>, <see cref="HotLogReader"/>, <see cref="HotLogTrimmer"/>, <see cref="HotLogHealing"/> and
    /// <see cref="PartitionFence"/>, all singletons. An <c>IConnectionMultiplexer</c> must be registered; an <see cref="IArchiveLookup"/>
    /// and an <see cref="IHealingSource"/> are used when they are.
    /// </summary>
    public static IServiceCollection AddHotLog(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddOptionsWithValidateOnStart<HotLogOptions>()
            .Bind(configuration.GetSection(HotLogOptions.SectionName))
            .ValidateDataAnnotations();
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<PartitionFence>();
        services.TryAddSingleton<HotLogHealing>();
        services.TryAddSingleton(provider => new DirectConnection(
            provider.GetRequiredService<IConnectionMultiplexer>(),
            provider.GetRequiredService<IOptionsMonitor<ConfigurationOptions>>().CurrentValue,
            provider.GetRequiredService<PartitionFence>(),
            provider.GetRequiredService<IOptions<HotLogOptions>>(),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILogger<DirectConnection>>(),
            provider.GetService<RedisGate>()));
        services.TryAddSingleton(provider => new DirectSubscriptions(
            provider.GetRequiredService<IConnectionMultiplexer>(),
            provider.GetRequiredService<IOptionsMonitor<ConfigurationOptions>>().CurrentValue,
            provider.GetRequiredService<IOptions<HotLogOptions>>(),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILogger<DirectSubscriptions>>(),
            provider.GetService<RedisGate>()));
        services.TryAddSingleton<HotLog>();
        services.TryAddSingleton<HotLogReader>();
        services.TryAddSingleton<HotLogTrimmer>();
        services.AddHealthChecks().AddCheck<RedisPolicyHealthCheck>(RedisPolicyHealthCheck.Name, HealthStatus.Degraded);
        return services;
    }

    /// <summary>
    /// Has the connections to Redis watched and replaced when they are stale: call it after the client's <c>AddRedisClient</c>, whose
    /// <c>IConnectionMultiplexer</c> it takes the place of. Adds <see cref="RedisLink"/> and <see cref="RedisGate"/>.
    /// </summary>
    /// <exception cref="InvalidOperationException">No client is registered.</exception>
    public static IServiceCollection AddRedisLink(this IServiceCollection services, IConfiguration configuration)
    {
        var client = services.LastOrDefault(service => service.ServiceType == typeof(IConnectionMultiplexer) && !service.IsKeyedService);
        if (client?.ImplementationFactory is not { } connect)
        {
            throw new InvalidOperationException("AddRedisLink needs a Redis client that was registered by AddRedisClient.");
        }

        services.AddOptionsWithValidateOnStart<RedisLinkOptions>()
            .Bind(configuration.GetSection(RedisLinkOptions.SectionName))
            .ValidateDataAnnotations();
        services.TryAddSingleton(TimeProvider.System);
        services.Remove(client);
        services.AddSingleton(provider => new RedisLink(() => (IConnectionMultiplexer)connect(provider)));
        services.AddSingleton(provider => provider.GetRequiredService<RedisLink>().Multiplexer);
        services.AddSingleton<RedisGate>();
        services.AddHostedService<RedisLinkMonitor>();

        services.AddSingleton<RedisReconnectPolicy>();
        services.AddOptions<ConfigurationOptions>().PostConfigure<RedisReconnectPolicy>((options, policy) => options.ReconnectRetryPolicy = policy);
        return services;
    }
}
