using Aspire.StackExchange.Redis;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Microsoft.Extensions.Hosting;

public static class AspireRedisExtensions
{
    private const string SectionName = "Aspire:StackExchange:Redis";

    /// <summary>Registers a singleton <see cref="IConnectionMultiplexer"/>, connected on first use, and its health check.</summary>
    public static void AddRedisClient(
        this IHostApplicationBuilder builder,
        string connectionName,
        Action<StackExchangeRedisSettings>? configureSettings = null,
        Action<ConfigurationOptions>? configureOptions = null) =>
        AddRedisClient(builder, connectionName, serviceKey: null, configureSettings, configureOptions);

    /// <summary>As <see cref="AddRedisClient(IHostApplicationBuilder, string, Action{StackExchangeRedisSettings}?, Action{ConfigurationOptions}?)"/>, keyed by the name.</summary>
    public static void AddKeyedRedisClient(
        this IHostApplicationBuilder builder,
        string name,
        Action<StackExchangeRedisSettings>? configureSettings = null,
        Action<ConfigurationOptions>? configureOptions = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        AddRedisClient(builder, name, serviceKey: name, configureSettings, configureOptions);
    }

    private static void AddRedisClient(
        IHostApplicationBuilder builder,
        string connectionName,
        string? serviceKey,
        Action<StackExchangeRedisSettings>? configureSettings,
        Action<ConfigurationOptions>? configureOptions)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(connectionName);

        var section = builder.Configuration.GetSection(SectionName);
        var namedSection = section.GetSection(connectionName);
        var settings = new StackExchangeRedisSettings();
        section.Bind(settings);
        namedSection.Bind(settings);
        settings.ConnectionString = builder.Configuration.GetConnectionString(connectionName) ?? settings.ConnectionString;
        configureSettings?.Invoke(settings);

        var optionsName = serviceKey ?? Options.Options.DefaultName;
        builder.Services.AddSingleton<IOptionsFactory<ConfigurationOptions>, RedisOptionsFactory>();
        builder.Services.AddKeyedSingleton(optionsName, new RedisConnectionString(settings.ConnectionString));
        builder.Services.Configure<ConfigurationOptions>(optionsName, options =>
        {
            section.GetSection(nameof(ConfigurationOptions)).Bind(options);
            namedSection.GetSection(nameof(ConfigurationOptions)).Bind(options);
            configureOptions?.Invoke(options);
        });

        var connector = new RedisConnector(connectionName, optionsName, SectionName, [section, namedSection]);
        if (serviceKey is null)
        {
            builder.Services.AddSingleton(connector.Connect);
        }
        else
        {
            builder.Services.AddKeyedSingleton<IConnectionMultiplexer>(serviceKey, (services, _) => connector.Connect(services));
        }

        IConnectionMultiplexer Resolve(IServiceProvider services) => serviceKey is null
            ? services.GetRequiredService<IConnectionMultiplexer>()
            : services.GetRequiredKeyedService<IConnectionMultiplexer>(serviceKey);

        if (!settings.DisableAutoActivation)
        {
            builder.Services.AddSingleton<IHostedService>(services => new RedisActivation(() => Resolve(services)));
        }

        var checkName = serviceKey is null ? "StackExchange.Redis" : $"StackExchange.Redis_{connectionName}";
        if (!settings.DisableHealthChecks && builder.Properties.TryAdd($"Aspire.HealthChecks.{checkName}", true))
        {
            var ping = new RedisPing();
            builder.Services.AddHealthChecks().Add(new HealthCheckRegistration(
                checkName,
                services => new RedisHealthCheck(() => Resolve(services), ping),
                failureStatus: null,
                tags: null));
        }
    }
}
