using AspireStreaming.Archive;
using AspireStreaming.ServiceDefaults.Health;
using AspireStreaming.StreamApi.Compression;
using AspireStreaming.StreamApi.Connections;
using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.StreamApi.Fleet;
using AspireStreaming.StreamApi.Listing;
using AspireStreaming.StreamApi.Page;
using AspireStreaming.StreamApi.Pages;
using AspireStreaming.StreamApi.Sessions;
using AspireStreaming.StreamApi.Sse;
using AspireStreaming.StreamApi.Statistics;
using AspireStreaming.Streaming;
using AspireStreaming.Streaming.Rpc;
using AspireStreaming.Transport;
using AspireStreaming.V1;
using Microsoft.Extensions.Options;
using OpenTelemetry.Metrics;

namespace AspireStreaming.StreamApi;

/// <summary>Every registration of this service.</summary>
internal static class StreamApiServices
{
    /// <summary>Connections that the kernel may hold until they are accepted: all clients of a replica that stopped come at once.</summary>
    private const int ListenBacklog = 4096;

    /// <summary>At least as long as 1,000 connections take to drain, with room for a stuck one.</summary>
    private static readonly TimeSpan ShutdownTimeout = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan Http2PingDelay = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Http2PingTimeout = TimeSpan.FromSeconds(20);

    public static void AddStreamApi(this WebApplicationBuilder builder)
    {
        builder.AddServiceDefaults();
        builder.Services.AddApiOperations(StreamApiDocument.Operations);

        // Connections last half an hour, which says nothing; and each would carry tags for it.
        builder.Services.ConfigureOpenTelemetryMeterProvider(
            static metrics => metrics.AddView("kestrel.connection.duration", MetricStreamConfiguration.Drop));
        builder.AddRedisClient(ResourceNames.Redis);
        builder.Services.AddRedisLink(builder.Configuration);
        builder.Services.AddOptionsWithValidateOnStart<DeliveryOptions>()
            .Bind(builder.Configuration.GetSection(DeliveryOptions.SectionName))
            .ValidateDataAnnotations();
        builder.Services.AddOptionsWithValidateOnStart<AdmissionOptions>()
            .Bind(builder.Configuration.GetSection(AdmissionOptions.SectionName))
            .ValidateDataAnnotations();
        builder.Services.AddSingleton<IValidateOptions<AdmissionOptions>, AdmissionOptionsValidator>();
        builder.AddCrossOrigin();
        builder.Services.AddOptionsWithValidateOnStart<CompressionOptions>()
            .Bind(builder.Configuration.GetSection(CompressionOptions.SectionName))
            .ValidateDataAnnotations();
        builder.Services.AddHotLog(builder.Configuration);
        if (builder.Configuration.GetConnectionString(ResourceNames.ArchiveDatabase) is { Length: > 0 })
        {
            builder.AddArchive();
            builder.Services.AddSingleton<IArchiveTier, PostgresArchive>();
        }
        else
        {
            builder.Services.AddSingleton<IArchiveTier, NoArchive>();
        }

        builder.Services.AddSingleton<ArchiveGate>();
        builder.Services.AddSingleton<StoreRetry>();
        builder.Services.AddSingleton(services => new WindowBudget(services.GetRequiredService<IOptions<DeliveryOptions>>().Value.TotalWindowBytes));
        builder.Services.AddSingleton<StreamApiMetrics>();
        builder.Services.AddSingleton<TierReader>();
        builder.Services.AddSingleton<FeedServices>();
        builder.Services.AddSingleton<FeedRegistry>();
        builder.Services.AddSingleton<StartResolver>();
        builder.Services.AddSingleton<DescendingPageReader>();
        builder.Services.AddSingleton<PageReader>();
        builder.Services.AddSingleton<PageEndpoint>();
        builder.Services.AddSingleton<FollowerFactory>();
        builder.Services.AddSingleton<AddressLimiter>();
        builder.Services.AddSingleton<Admission>();
        builder.Services.AddSingleton<MemoryGuard>();
        builder.Services.AddHostedService(services => services.GetRequiredService<MemoryGuard>());
        builder.Services.AddSingleton<Subscriber>();
        builder.Services.AddSingleton<SubscriptionServices>();
        builder.Services.AddSingleton<ResponseCompressor>();
        builder.Services.AddSingleton<LiveResponses>();
        builder.Services.AddSingleton<SseEndpoint>();
        builder.AddSessions();
        builder.Services.AddSingleton(services => HealthOf(services.GetRequiredService<LongRequests>()));
        builder.Services.AddGrpc();
        builder.Services.AddSingleton<StreamListing>();
        builder.Services.AddOptionsWithValidateOnStart<FleetOptions>()
            .Bind(builder.Configuration.GetSection(FleetOptions.SectionName))
            .ValidateDataAnnotations()
            .Validate(fleet => fleet.AnnounceExpiry > fleet.AnnounceInterval, "Fleet:AnnounceExpiry is longer than Fleet:AnnounceInterval.");
        builder.Services.AddSingleton<ReplicaIdentity>();
        builder.Services.AddSingleton<ReplicaRoster>();
        builder.Services.AddSingleton<LocalAnswers>();
        builder.Services.AddSingleton<FleetChannel>();
        builder.Services.AddHostedService<FleetWorker>();
        builder.Services.AddSingleton<WorkflowTally>();
        builder.Services.AddSingleton<Stats>();
        builder.Services.AddSingleton<IHealthDetails>(services => services.GetRequiredService<Stats>());
        builder.Services.AddSingleton<ConnectionRegistry>();
        builder.Services.AddHostedService(services => services.GetRequiredService<ConnectionRegistry>());
        builder.Services.AddHostedService<TailChecker>();

        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = ShutdownTimeout);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            // A paused gRPC reader is no failure; StreamApiApp sets the limit again where it belongs.
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.Limits.Http2.MaxStreamsPerConnection = 1_000;

            // Who does not answer these is gone; a paused reader answers.
            kestrel.Limits.Http2.KeepAlivePingDelay = Http2PingDelay;
            kestrel.Limits.Http2.KeepAlivePingTimeout = Http2PingTimeout;
            var delivery = kestrel.ApplicationServices.GetRequiredService<IOptions<DeliveryOptions>>().Value;
            kestrel.ConfigureEndpointDefaults(listen =>
            {
                listen.EndDeadPeers(delivery.DeadPeerTimeout);
                listen.SendDirectly();
            });
        });
        builder.Services.AddEventLoops(
            provider => provider.GetRequiredService<IOptions<DeliveryOptions>>().Value.EventLoops, arePatient: true);
        builder.WebHost.UseSockets(options =>
        {
            // For what no event loop serves. Handlers here never block.
            options.UnsafePreferInlineScheduling = true;
            options.Backlog = ListenBacklog;
        });
    }

    private static HealthGrpcService HealthOf(LongRequests requests) =>
        new(Streams.Descriptor.FullName, requests.Started, requests.Ended, requests.Ending);
}
