using AspireStreaming.Streaming.Redis;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace AspireStreaming.Streaming;

/// <summary>Registers what services share.</summary>
public static class StreamingServices
{
    /// <summary>
    /// Adds <see cref="HotLog"/>, <see cref="HotLogReader"/>, <see cref="HotLogTrimmer"/> and <see cref="PartitionFence"/>, all singletons.
    /// An <c>IConnectionMultiplexer</c> must be registered; an <see cref="IArchiveLookup"/> is used when it is.
    /// </summary>
    public static IServiceCollection AddHotLog(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddOptionsWithValidateOnStart<HotLogOptions>()
            .Bind(configuration.GetSection(HotLogOptions.SectionName))
            .ValidateDataAnnotations();
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<PartitionFence>();
        services.TryAddSingleton<HotLog>();
        services.TryAddSingleton<HotLogReader>();
        services.TryAddSingleton<HotLogTrimmer>();
        return services;
    }
}
