using System.Net;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.ServiceDiscovery.Http;

/// <summary>Sends each request, and so each retry of an outer handler, to the next endpoint of the service that its address names.</summary>
internal sealed class ResolvingHttpDelegatingHandler(RoundRobinEndpoints endpoints, IOptions<ServiceDiscoveryOptions> options) : DelegatingHandler
{
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (request.RequestUri is not { } original)
        {
            throw new InvalidOperationException("The request has no address.");
        }

        var endpoint = await endpoints.NextAsync(original.GetLeftPart(UriPartial.Authority), cancellationToken).ConfigureAwait(false);
        request.RequestUri = WithEndpoint(original, endpoint);
        request.Headers.Host ??= endpoint.HostName;
        try
        {
            return await base.SendAsync(request, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            request.RequestUri = original;
        }
    }

    private Uri WithEndpoint(Uri original, ServiceEndpoint endpoint)
    {
        if (endpoint.EndPoint is UriEndPoint { Uri: var target })
        {
            // A path of the endpoint is a prefix of the request's.
            return new UriBuilder(original)
            {
                Scheme = target.Scheme,
                Host = target.Host,
                Port = target.Port,
                Path = target.AbsolutePath.TrimEnd('/') + original.AbsolutePath,
            }.Uri;
        }

        var (host, port) = endpoint.EndPoint switch
        {
            IPEndPoint ip => (ip.Address.ToString(), ip.Port),
            DnsEndPoint dns => (dns.Host, dns.Port),
            _ => throw new InvalidOperationException($"An endpoint of type {endpoint.EndPoint.GetType()} cannot be requested."),
        };

        return new UriBuilder(original) { Scheme = FirstAllowed(original.Scheme), Host = host, Port = port > 0 ? port : -1 }.Uri;
    }

    private string FirstAllowed(string scheme) => scheme.Contains('+', StringComparison.Ordinal)
        ? scheme.Split('+').FirstOrDefault(part => options.Value.AllowAllSchemes || options.Value.AllowedSchemes.Contains(part))
            ?? throw new InvalidOperationException($"No scheme of '{scheme}' is allowed.")
        : scheme;
}
