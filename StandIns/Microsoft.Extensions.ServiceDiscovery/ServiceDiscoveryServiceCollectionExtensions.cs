using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.ServiceDiscovery;
using Microsoft.Extensions.ServiceDiscovery.Http;

namespace Microsoft.Extensions.DependencyInjection;

public static class ServiceDiscoveryServiceCollectionExtensions
{
    /// <summary>Adds the resolver, reading configuration and passing unknown names through.</summary>
    public static IServiceCollection AddServiceDiscovery(this IServiceCollection services)
    {
        ArgumentNullException.ThrowIfNull(services);

        services.AddOptions();
        services.TryAddSingleton<ConfigurationEndpoints>();
        services.TryAddSingleton(provider => new ServiceEndpointResolver(
            provider.GetRequiredService<ConfigurationEndpoints>(), provider.GetRequiredService<IConfiguration>()));
        services.TryAddSingleton<RoundRobinEndpoints>();
        return services;
    }

    public static IServiceCollection AddServiceDiscovery(this IServiceCollection services, Action<ServiceDiscoveryOptions> configureOptions) =>
        services.AddServiceDiscovery().Configure(configureOptions);

    public static IServiceCollection AddConfigurationServiceEndpointProvider(
        this IServiceCollection services, Action<ConfigurationServiceEndpointProviderOptions> configureOptions) =>
        services.AddServiceDiscovery().Configure(configureOptions);
}
