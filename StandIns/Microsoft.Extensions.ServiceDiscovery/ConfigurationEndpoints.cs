using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.ServiceDiscovery;

/// <summary>
/// Reads a service's addresses from <c>Services:&lt;service&gt;:&lt;key&gt;</c>. The key is the endpoint's name if the
/// address has one, else the first that exists of <c>default</c> and the schemes in the order written.
/// </summary>
internal sealed class ConfigurationEndpoints(
    IConfiguration configuration,
    IOptions<ConfigurationServiceEndpointProviderOptions> options,
    IOptions<ServiceDiscoveryOptions> discoveryOptions)
{
    private const string DefaultEndpointName = "default";

    public List<ServiceEndpoint> Find(ServiceEndpointQuery query)
    {
        var service = configuration.GetSection(options.Value.SectionName).GetSection(query.ServiceName);
        var schemes = Allowed(query.IncludedSchemes);
        var candidates = query.EndpointName is { } endpointName ? [endpointName] : schemes.Prepend(DefaultEndpointName);
        var key = candidates.FirstOrDefault(candidate => service.GetSection(candidate).Exists());
        if (key is null)
        {
            return [];
        }

        var section = service.GetSection(key);
        var values = string.IsNullOrWhiteSpace(section.Value) ? section.GetChildren() : [section];
        var found = values.Select(value => Parse(query, value)).ToList();

        // Of several schemes only the best present is kept. All are, if the address names none.
        if (query.IncludedSchemes.Count > 0 || !discoveryOptions.Value.AllowAllSchemes)
        {
            var best = found.Select(RankOf).Where(rank => rank >= 0).DefaultIfEmpty(int.MaxValue).Min();
            found.RemoveAll(endpoint => endpoint.EndPoint is UriEndPoint && RankOf(endpoint) != best);
        }

        return found;

        int RankOf(ServiceEndpoint endpoint) => endpoint.EndPoint is UriEndPoint { Uri.Scheme: var scheme } ? schemes.IndexOf(scheme) : -1;
    }

    private List<string> Allowed(IReadOnlyList<string> included)
    {
        var allowed = discoveryOptions.Value;
        if (included.Count == 0)
        {
            return [.. allowed.AllowedSchemes];
        }

        return [.. included.Where(scheme => allowed.AllowAllSchemes || allowed.AllowedSchemes.Contains(scheme, StringComparer.OrdinalIgnoreCase))];
    }

    private ServiceEndpoint Parse(ServiceEndpointQuery query, IConfigurationSection section)
    {
        if (!ServiceEndpoint.TryParse(section.Value, out var endpoint))
        {
            throw new KeyNotFoundException($"'{section.Path}' does not hold the address of an endpoint of '{query.ServiceName}'.");
        }

        endpoint.HostName = options.Value.ShouldApplyHostNameMetadata(endpoint) ? query.ServiceName : null;
        return endpoint;
    }
}
