using AspireStreaming.Archive;
using AspireStreaming.PublisherApi.Appending;
using AspireStreaming.PublisherApi.Events;
using AspireStreaming.PublisherApi.Healing;
using AspireStreaming.PublisherApi.Http;
using AspireStreaming.ServiceDefaults;
using AspireStreaming.ServiceDefaults.Health;
using AspireStreaming.Streaming;
using AspireStreaming.Streaming.Redis;
using AspireStreaming.Streaming.Rpc;
using AspireStreaming.V1;
using Grpc.AspNetCore.Server;
using Microsoft.Extensions.Options;

namespace AspireStreaming.PublisherApi;

/// <summary>Every registration of the service.</summary>
internal static class PublisherServices
{
    private const string StreamApiOrigin = "http://localhost:5102";

    public static void AddPublisher(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddApiOperations(PublishDocument.Operations);
        services.AddOptionsWithValidateOnStart<PublisherOptions>()
            .Bind(builder.Configuration.GetSection(PublisherOptions.SectionName))
            .ValidateDataAnnotations();
        services.AddOptionsWithValidateOnStart<PublishRateOptions>()
            .Bind(builder.Configuration.GetSection(PublishRateOptions.SectionName))
            .ValidateDataAnnotations();
        services.AddOptionsWithValidateOnStart<RedisResilienceOptions>()
            .Bind(builder.Configuration.GetSection(RedisResilienceOptions.SectionName))
            .ValidateDataAnnotations();
        services.AddOptionsWithValidateOnStart<HealingOptions>()
            .Bind(builder.Configuration.GetSection(HealingOptions.SectionName))
            .ValidateDataAnnotations();
        services.AddOptions<HostOptions>()
            .Configure<IOptions<PublisherOptions>>((host, publisher) => host.ShutdownTimeout = publisher.Value.ShutdownTimeout);

        builder.AddRedisClient(ResourceNames.Redis);
        services.AddRedisLink(builder.Configuration);
        builder.AddArchive();
        services.AddHotLog(builder.Configuration);

        services.AddSingleton(provider => new AttributeRules(provider.GetRequiredService<IOptions<PublisherOptions>>().Value));
        services.AddSingleton(provider => new EventComposer(
            provider.GetRequiredService<IOptions<PublisherOptions>>().Value, provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<EventReader>();
        services.AddSingleton<PayloadReader>();
        services.AddSingleton<BinaryEventReader>();
        services.AddSingleton<MessageEventReader>();

        services.AddSingleton<RedisCircuit>();
        services.AddSingleton<RedisPipeline>();
        services.AddSingleton<EventAppender>();
        services.AddSingleton<AcknowledgedEvents>();
        services.AddSingleton<IHealingSource>(provider => provider.GetRequiredService<AcknowledgedEvents>());
        services.AddHostedService<HealingWorker>();
        services.AddSingleton<ArchiveProgress>();
        services.AddSingleton<PublisherMetrics>();
        services.AddSingleton<StreamActivity>();
        services.AddSingleton<IHealthDetails>(provider => provider.GetRequiredService<StreamActivity>());
        services.AddHealthChecks().AddCheck<RedisCircuitHealthCheck>(RedisCircuitHealthCheck.Name);

        services.AddSingleton(provider => new InFlightBytes(provider.GetRequiredService<IOptions<PublisherOptions>>().Value.MaxInFlightBytes));
        services.AddSingleton<PublishRate>();
        services.AddSingleton<PublishHandler>();
        services.AddSingleton(provider => HealthOf(provider.GetRequiredService<LongRequests>()));

        // An event's framing in a message is small; the exact bound on a batch is checked after decoding.
        services.AddGrpc();
        services.AddOptions<GrpcServiceOptions>().Configure<IOptions<PublisherOptions>>(
            (grpc, publisher) => grpc.MaxReceiveMessageSize = publisher.Value.MaxBatchBytes + (256 << 10));

        if (builder.Environment.IsDevelopment())
        {
            services.AddCors(cors => cors.AddDefaultPolicy(policy => policy
                .WithOrigins(StreamApiOrigins(builder.Configuration))
                .WithMethods(HttpMethods.Post, HttpMethods.Delete)
                .AllowAnyHeader()
                .WithExposedHeaders("Retry-After")));
        }
    }

    private static HealthGrpcService HealthOf(LongRequests requests) =>
        new(Publisher.Descriptor.FullName, requests.Started, requests.Ended, requests.Ending);

    /// <summary>Where the Stream API's page is served from: its known address, and those that the host gave it.</summary>
    private static string[] StreamApiOrigins(ConfigurationManager configuration) =>
    [
        StreamApiOrigin,
        .. configuration.GetSection($"services:{ResourceNames.StreamApi}:http").GetChildren()
            .Select(endpoint => endpoint.Value?.TrimEnd('/'))
            .OfType<string>(),
    ];
}
