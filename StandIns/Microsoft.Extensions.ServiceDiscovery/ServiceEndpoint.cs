using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;

namespace Microsoft.Extensions.ServiceDiscovery;

/// <summary>One address of a service: an IP or DNS end point, or a URI with its scheme.</summary>
public sealed class ServiceEndpoint
{
    internal ServiceEndpoint(EndPoint endPoint)
    {
        EndPoint = endPoint;
    }

    public EndPoint EndPoint { get; }

    /// <summary>The name to send as <c>Host</c> header instead of the address's own.</summary>
    internal string? HostName { get; set; }

    public override string ToString() => EndPoint switch
    {
        DnsEndPoint { Port: 0 } dns => dns.Host,
        DnsEndPoint dns => $"{dns.Host}:{dns.Port.ToString(CultureInfo.InvariantCulture)}",
        _ => EndPoint.ToString() ?? "",
    };

    /// <summary>Parses <c>scheme://host:port</c>, <c>host:port</c>, <c>host</c>, or an IP address with or without port.</summary>
    internal static bool TryParse([NotNullWhen(true)] string? value, [NotNullWhen(true)] out ServiceEndpoint? endpoint)
    {
        endpoint = null;
        if (string.IsNullOrWhiteSpace(value))
        {
            return false;
        }

        if (value.Contains("://", StringComparison.Ordinal))
        {
            if (Uri.TryCreate(value, UriKind.Absolute, out var uri))
            {
                endpoint = new ServiceEndpoint(new UriEndPoint(uri));
            }
        }
        else if (IPAddress.TryParse(value, out var address))
        {
            endpoint = new ServiceEndpoint(new IPEndPoint(address, 0));
        }
        else if (IPEndPoint.TryParse(value, out var ipEndPoint))
        {
            endpoint = new ServiceEndpoint(ipEndPoint);
        }
        else if (Uri.TryCreate($"fakescheme://{value}", UriKind.Absolute, out var uri) && uri.Host.Length > 0)
        {
            endpoint = new ServiceEndpoint(new DnsEndPoint(uri.Host, Math.Max(uri.Port, 0)));
        }

        return endpoint is not null;
    }
}
