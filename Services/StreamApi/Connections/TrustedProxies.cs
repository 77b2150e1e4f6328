using System.Net;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.Extensions.Options;

namespace AspireStreaming.StreamApi.Connections;

/// <summary>Lets configured proxies, and nobody else, say which client they speak for.</summary>
internal static class TrustedProxies
{
    /// <summary>Replaces a trusted proxy's address by the client's; the first in the pipeline. Does nothing where no proxy is configured.</summary>
    public static void UseTrustedProxies(this WebApplication app)
    {
        var proxies = app.Services.GetRequiredService<IOptions<AdmissionOptions>>().Value.TrustedProxies;
        if (proxies.Count == 0)
        {
            return;
        }

        // Every address of the header is looked at from the right until one is no trusted proxy: what is left of it anybody can forge.
        var options = new ForwardedHeadersOptions { ForwardedHeaders = ForwardedHeaders.XForwardedFor, ForwardLimit = null };
        options.KnownProxies.Clear();
        options.KnownIPNetworks.Clear();
        foreach (var proxy in proxies)
        {
            if (IPAddress.TryParse(proxy, out var address))
            {
                options.KnownProxies.Add(address);
            }
            else
            {
                options.KnownIPNetworks.Add(System.Net.IPNetwork.Parse(proxy));
            }
        }

        app.UseForwardedHeaders(options);
    }
}
