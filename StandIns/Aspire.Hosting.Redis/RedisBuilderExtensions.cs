using System.Globalization;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Local;
using Aspire.Hosting.Orchestration;
using Aspire.Hosting.Redis;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Aspire.Hosting;

public static class RedisBuilderExtensions
{
    private const string DataTarget = "/data";
    private static readonly TimeSpan DefaultInterval = TimeSpan.FromSeconds(60);

    public static IResourceBuilder<RedisResource> AddRedis(this IDistributedApplicationBuilder builder, string name, int? port) =>
        builder.AddRedis(name, port, null);

    public static IResourceBuilder<RedisResource> AddRedis(
        this IDistributedApplicationBuilder builder,
        string name,
        int? port = null,
        IResourceBuilder<ParameterResource>? password = null)
    {
        // Without special characters, for a password with a comma would end there in a connection string.
        var parameter = password?.Resource
            ?? ParameterResourceBuilderExtensions.CreateDefaultPasswordParameter(builder, $"{name}-password", special: false);
        var redis = new RedisResource(name, parameter);
        var healthCheck = $"{name}_check";
        builder.Services.AddHealthChecks().Add(new HealthCheckRegistration(healthCheck, _ => new RedisHealthCheck(redis), null, null));
        return builder.AddResource(redis)
            .WithEndpoint(port: port, targetPort: 6379, scheme: "redis", name: RedisResource.PrimaryEndpointName)
            .WithHealthCheck(healthCheck)
            .WithAnnotation(new LocalServerAnnotation
            {
                Source = "redis-server",
                DataTarget = DataTarget,
                PrepareAsync = async (context, cancellationToken) => RedisServer.Prepare(
                    context.Port,
                    redis.PasswordParameter is { } current ? await current.GetValueAsync(cancellationToken).ConfigureAwait(false) : null,
                    context.DataFolder,
                    [.. Persistence(redis), .. context.Arguments]),
            });
    }

    public static IResourceBuilder<RedisResource> WithDataVolume(
        this IResourceBuilder<RedisResource> builder,
        string? name = null,
        bool isReadOnly = false) =>
        builder.WithData(name ?? VolumeNames.For(builder, "data"), ContainerMountType.Volume, isReadOnly);

    public static IResourceBuilder<RedisResource> WithDataBindMount(
        this IResourceBuilder<RedisResource> builder,
        string source,
        bool isReadOnly = false) => builder.WithData(source, ContainerMountType.BindMount, isReadOnly);

    public static IResourceBuilder<RedisResource> WithPersistence(
        this IResourceBuilder<RedisResource> builder,
        TimeSpan? interval = null,
        long keysChangedThreshold = 1) =>
        builder.WithAnnotation(
            new PersistenceAnnotation(interval ?? DefaultInterval, keysChangedThreshold), ResourceAnnotationMutationBehavior.Replace);

    public static IResourceBuilder<RedisResource> WithPassword(
        this IResourceBuilder<RedisResource> builder,
        IResourceBuilder<ParameterResource>? password)
    {
        builder.Resource.SetPassword(password?.Resource);
        return builder;
    }

    public static IResourceBuilder<RedisResource> WithHostPort(this IResourceBuilder<RedisResource> builder, int? port) =>
        builder.WithEndpoint(RedisResource.PrimaryEndpointName, endpoint => endpoint.Port = port);

    private static IResourceBuilder<RedisResource> WithData(
        this IResourceBuilder<RedisResource> builder,
        string source,
        ContainerMountType type,
        bool isReadOnly)
    {
        builder.WithAnnotation(new ContainerMountAnnotation(source, DataTarget, type, isReadOnly));
        if (builder.Resource.PasswordParameter is { } password)
        {
            password.IsKept = true;
        }

        return isReadOnly ? builder : builder.WithPersistence();
    }

    private static IEnumerable<string> Persistence(RedisResource redis) =>
        redis.TryGetLastAnnotation<PersistenceAnnotation>(out var persistence)
            ?
            [
                "--save",
                ((long)persistence.Interval.TotalSeconds).ToString(CultureInfo.InvariantCulture),
                persistence.KeysChanged.ToString(CultureInfo.InvariantCulture),
            ]
            : [];

    private sealed record PersistenceAnnotation(TimeSpan Interval, long KeysChanged) : IResourceAnnotation;
}
