using System.Data.Common;
using Aspire.Npgsql;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Npgsql;
using OpenTelemetry.Metrics;

namespace Microsoft.Extensions.Hosting;

public static class AspirePostgreSqlNpgsqlExtensions
{
    private const string SectionName = "Aspire:Npgsql";

    // Npgsql measures in seconds; the SDK's default buckets are made for milliseconds.
    private static readonly double[] SecondBuckets = [0, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

    /// <summary>Registers a singleton <see cref="NpgsqlDataSource"/>, its connections, health check, traces and metrics.</summary>
    public static void AddNpgsqlDataSource(
        this IHostApplicationBuilder builder,
        string connectionName,
        Action<NpgsqlSettings>? configureSettings = null,
        Action<NpgsqlDataSourceBuilder>? configureDataSourceBuilder = null) =>
        AddNpgsqlDataSource(builder, connectionName, serviceKey: null, configureSettings, configureDataSourceBuilder);

    /// <summary>As <see cref="AddNpgsqlDataSource(IHostApplicationBuilder, string, Action{NpgsqlSettings}?, Action{NpgsqlDataSourceBuilder}?)"/>, keyed by the name.</summary>
    public static void AddKeyedNpgsqlDataSource(
        this IHostApplicationBuilder builder,
        string name,
        Action<NpgsqlSettings>? configureSettings = null,
        Action<NpgsqlDataSourceBuilder>? configureDataSourceBuilder = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        AddNpgsqlDataSource(builder, name, serviceKey: name, configureSettings, configureDataSourceBuilder);
    }

    private static void AddNpgsqlDataSource(
        IHostApplicationBuilder builder,
        string connectionName,
        string? serviceKey,
        Action<NpgsqlSettings>? configureSettings,
        Action<NpgsqlDataSourceBuilder>? configureDataSourceBuilder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(connectionName);

        var settings = new NpgsqlSettings();
        var section = builder.Configuration.GetSection(SectionName);
        section.Bind(settings);
        section.GetSection(connectionName).Bind(settings);
        settings.ConnectionString = builder.Configuration.GetConnectionString(connectionName) ?? settings.ConnectionString;
        configureSettings?.Invoke(settings);

        NpgsqlDataSource Build(IServiceProvider services)
        {
            if (string.IsNullOrWhiteSpace(settings.ConnectionString))
            {
                throw new InvalidOperationException(
                    $"No connection string: neither 'ConnectionStrings:{connectionName}' nor '{SectionName}:ConnectionString' gives one.");
            }

            var dataSource = new NpgsqlDataSourceBuilder(settings.ConnectionString);
            dataSource.UseLoggerFactory(services.GetService<ILoggerFactory>());
            configureDataSourceBuilder?.Invoke(dataSource);
            return dataSource.Build();
        }

        RegisterServices(builder.Services, serviceKey, Build);
        AddHealthCheck(builder, settings, connectionName, serviceKey);
        AddTelemetry(builder, settings);
    }

    private static void RegisterServices(IServiceCollection services, string? serviceKey, Func<IServiceProvider, NpgsqlDataSource> build)
    {
        if (serviceKey is null)
        {
            services.TryAddSingleton(build);
            services.TryAddSingleton<DbDataSource>(provider => provider.GetRequiredService<NpgsqlDataSource>());
            services.TryAddTransient(provider => provider.GetRequiredService<NpgsqlDataSource>().CreateConnection());
            services.TryAddTransient<DbConnection>(provider => provider.GetRequiredService<NpgsqlConnection>());
        }
        else
        {
            services.TryAddKeyedSingleton(serviceKey, (provider, _) => build(provider));
            services.TryAddKeyedSingleton<DbDataSource>(
                serviceKey, (provider, key) => provider.GetRequiredKeyedService<NpgsqlDataSource>(key));
            services.TryAddKeyedTransient(
                serviceKey, (provider, key) => provider.GetRequiredKeyedService<NpgsqlDataSource>(key).CreateConnection());
            services.TryAddKeyedTransient<DbConnection>(
                serviceKey, (provider, key) => provider.GetRequiredKeyedService<NpgsqlConnection>(key));
        }
    }

    private static void AddHealthCheck(IHostApplicationBuilder builder, NpgsqlSettings settings, string connectionName, string? serviceKey)
    {
        var checkName = serviceKey is null ? "PostgreSql" : $"PostgreSql_{connectionName}";
        if (!settings.DisableHealthChecks && builder.Properties.TryAdd($"Aspire.HealthChecks.{checkName}", true))
        {
            builder.Services.AddHealthChecks().Add(new HealthCheckRegistration(
                checkName,
                services => new NpgsqlHealthCheck(() => serviceKey is null
                    ? services.GetRequiredService<NpgsqlDataSource>()
                    : services.GetRequiredKeyedService<NpgsqlDataSource>(serviceKey)),
                failureStatus: null,
                tags: null));
        }
    }

    private static void AddTelemetry(IHostApplicationBuilder builder, NpgsqlSettings settings)
    {
        if (!settings.DisableTracing)
        {
            builder.Services.AddOpenTelemetry().WithTracing(tracing => tracing.AddSource("Npgsql"));
        }

        if (!settings.DisableMetrics)
        {
            var buckets = new ExplicitBucketHistogramConfiguration { Boundaries = SecondBuckets };
            builder.Services.AddOpenTelemetry().WithMetrics(metrics => metrics
                .AddMeter("Npgsql")
                .AddView("db.client.operation.duration", buckets)
                .AddView("db.client.connection.npgsql.create_time", buckets));
        }
    }
}
