using AspireStreaming.Archive;
using AspireStreaming.Archive.Writing;
using AspireStreaming.EventArchiver.Archiving;
using AspireStreaming.ServiceDefaults.Health;
using AspireStreaming.Streaming;
using Microsoft.Extensions.Options;
using Npgsql;

namespace AspireStreaming.EventArchiver;

/// <summary>The Event Archiver: moves events from the hot log to the archive.</summary>
public static class ArchiverApp
{
    /// <summary>Registers and maps everything; the caller runs it.</summary>
    public static WebApplication Create(string[] args)
    {
        var builder = WebApplication.CreateBuilder(args);
        builder.AddServiceDefaults();
        builder.AddRedisClient(ResourceNames.Redis);
        builder.Services.AddRedisLink(builder.Configuration);
        builder.AddArchive();
        builder.Services.AddHotLog(builder.Configuration);
        builder.Services.AddOptionsWithValidateOnStart<ArchiverOptions>()
            .Bind(builder.Configuration.GetSection(ArchiverOptions.SectionName))
            .ValidateDataAnnotations();
        builder.Services.AddSingleton<IValidateOptions<ArchiverOptions>, ArchiverOptionsRules>();
        builder.Services.AddSingleton<DayPartitions>();
        builder.Services.AddSingleton<ArchivePruning>();
        builder.Services.AddSingleton(services => new PartitionLeases(
            services.GetRequiredService<NpgsqlDataSource>(),
            $"{Environment.MachineName}/{Environment.ProcessId}/{Guid.NewGuid():N}",
            services.GetRequiredService<IOptions<ArchiverOptions>>().Value.LeaseDuration));
        builder.Services.AddSingleton<OwnedPartitions>();
        builder.Services.AddSingleton<ArchiverMetrics>();
        builder.Services.AddSingleton<IHealthDetails, ArchiverHealth>();
        builder.Services.AddSingleton<LeaseKeeper>();
        builder.Services.AddSingleton<ArchiveUpkeep>();
        builder.Services.AddSingleton<BacklogWatch>();
        builder.Services.AddHostedService<ArchiverWorker>();

        var app = builder.Build();
        app.UseServiceDefaults();
        app.UseStreamAccess();
        app.MapDefaultEndpoints();
        return app;
    }
}
