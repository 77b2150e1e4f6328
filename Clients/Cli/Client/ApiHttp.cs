using System.Net;
using System.Reflection;

namespace AspireStreaming.Cli.Client;

/// <summary>The one place where connections to the services are set up.</summary>
internal static class ApiHttp
{
    private static readonly string Version =
        typeof(ApiHttp).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0";

    public static HttpClient Create(Uri url)
    {
        var handler = new SocketsHttpHandler
        {
            ConnectTimeout = TimeSpan.FromSeconds(5),
            AutomaticDecompression = DecompressionMethods.All,
            PooledConnectionLifetime = TimeSpan.FromMinutes(10),
        };
        var client = new HttpClient(handler)
        {
            BaseAddress = new Uri(url.AbsoluteUri.TrimEnd('/') + "/"),

            // A tail lasts for hours; every other request has a limit of its own.
            Timeout = Timeout.InfiniteTimeSpan,
        };
        client.DefaultRequestHeaders.UserAgent.ParseAdd($"aspirestream/{Version}");
        return client;
    }
}
