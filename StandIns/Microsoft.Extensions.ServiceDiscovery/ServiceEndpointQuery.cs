using System.Diagnostics.CodeAnalysis;

namespace Microsoft.Extensions.ServiceDiscovery;

/// <summary>A parsed <c>[scheme[+scheme...]://][_endpoint.]service[:port]</c>.</summary>
public sealed class ServiceEndpointQuery
{
    private readonly string _original;

    private ServiceEndpointQuery(string original, string[] includedSchemes, string serviceName, string? endpointName)
    {
        _original = original;
        IncludedSchemes = includedSchemes;
        ServiceName = serviceName;
        EndpointName = endpointName;
    }

    public IReadOnlyList<string> IncludedSchemes { get; }

    public string? EndpointName { get; }

    public string ServiceName { get; }

    public static bool TryParse(string input, [NotNullWhen(true)] out ServiceEndpointQuery? query)
    {
        ArgumentException.ThrowIfNullOrEmpty(input);

        var hasScheme = input.Contains("://", StringComparison.Ordinal);
        if (!Uri.TryCreate(hasScheme ? input : $"fakescheme://{input}", UriKind.Absolute, out var uri))
        {
            query = null;
            return false;
        }

        string[] schemes = hasScheme ? uri.Scheme.Split('+') : [];
        var host = uri.Host;
        if (host.StartsWith('_') && host.IndexOf('.', StringComparison.Ordinal) is > 1 and var dot && dot < host.Length - 1)
        {
            query = new ServiceEndpointQuery(input, schemes, host[(dot + 1)..], host[1..dot]);
        }
        else
        {
            query = new ServiceEndpointQuery(input, schemes, host, endpointName: null);
        }

        return true;
    }

    public override string ToString() => _original;
}
