using System.Collections.Concurrent;
using System.Net;
using Microsoft.Extensions.Configuration;

namespace Microsoft.Extensions.ServiceDiscovery;

/// <summary>Resolves names from configuration; a name that it does not know passes through as a host.</summary>
public sealed class ServiceEndpointResolver : IAsyncDisposable
{
    // Names come from code, but a client of arbitrary hosts passes them through here too.
    private const int CacheLimit = 1_000;

    private readonly ConcurrentDictionary<string, ServiceEndpointSource> _cache = new(StringComparer.OrdinalIgnoreCase);
    private readonly ConfigurationEndpoints _configurationEndpoints;
    private readonly IConfiguration _configuration;

    internal ServiceEndpointResolver(ConfigurationEndpoints configurationEndpoints, IConfiguration configuration)
    {
        _configurationEndpoints = configurationEndpoints;
        _configuration = configuration;
    }

    public ValueTask<ServiceEndpointSource> GetEndpointsAsync(string serviceName, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(serviceName);
        cancellationToken.ThrowIfCancellationRequested();

        if (_cache.TryGetValue(serviceName, out var known) && !known.ChangeToken.HasChanged)
        {
            return ValueTask.FromResult(known);
        }

        // The token is taken first: a change during the look-up makes the result stale, not lost.
        var token = _configuration.GetReloadToken();
        var source = new ServiceEndpointSource(Resolve(serviceName), token);
        if (_cache.Count >= CacheLimit)
        {
            _cache.Clear();
        }

        _cache[serviceName] = source;
        return ValueTask.FromResult(source);
    }

    public ValueTask DisposeAsync() => default;

    private List<ServiceEndpoint> Resolve(string serviceName)
    {
        if (!ServiceEndpointQuery.TryParse(serviceName, out var query))
        {
            throw new InvalidOperationException($"'{serviceName}' is not the name of a service.");
        }

        if (_configurationEndpoints.Find(query) is { Count: > 0 } found)
        {
            return found;
        }

        var host = serviceName.Contains("://", StringComparison.Ordinal) ? serviceName : $"fakescheme://{serviceName}";
        var uri = new Uri(host);
        return [new ServiceEndpoint(new DnsEndPoint(query.ServiceName.Length > 0 ? uri.Host : serviceName, Math.Max(uri.Port, 0)))];
    }
}
