using AspireStreaming.Archive.Cursors;
using AspireStreaming.Streaming;
using AspireStreaming.Streaming.Redis;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;

namespace AspireStreaming.Archive;

/// <summary>Registers the archive.</summary>
public static class ArchiveServices
{
    /// <summary>
    /// Adds the data source of <see cref="ResourceNames.ArchiveDatabase"/>, <see cref="ArchiveReader"/> (also as
    /// <see cref="IArchiveLookup"/>), <see cref="ArchiveSchema"/>, <see cref="ArchiveAudit"/> and
    /// <see cref="ConsumerCursors"/>. Starts nothing and connects to nothing.
    /// </summary>
    public static void AddArchive(this IHostApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);

        builder.AddNpgsqlDataSource(ResourceNames.ArchiveDatabase);
        builder.Services.TryAddSingleton<ArchiveReader>();
        builder.Services.TryAddSingleton<IArchiveLookup>(services => services.GetRequiredService<ArchiveReader>());
        builder.Services.TryAddSingleton<ArchiveSchema>();
        builder.Services.TryAddSingleton<ArchiveAudit>();
        builder.Services.TryAddSingleton<ConsumerCursors>();
    }
}
