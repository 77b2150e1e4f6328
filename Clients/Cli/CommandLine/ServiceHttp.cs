using System.Net;
using System.Net.Http.Headers;
using System.Reflection;
using AspireStreaming.Client;
using AspireStreaming.Client.Http;

namespace AspireStreaming.Cli.CommandLine;

/// <summary>The one place where connections to the services are set up.</summary>
internal static class ServiceHttp
{
    private static readonly string Version =
        typeof(ServiceHttp).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0";

    public static HttpClient Create(Uri url, StreamingClientOptions credentials)
    {
        var handler = Handlers.Create();
        handler.AutomaticDecompression = DecompressionMethods.All;
        var client = new HttpClient(handler)
        {
            BaseAddress = new Uri(url.AbsoluteUri.TrimEnd('/') + "/"),

            // A tail lasts for hours; every other request has a limit of its own.
            Timeout = Timeout.InfiniteTimeSpan,
        };
        client.DefaultRequestHeaders.UserAgent.ParseAdd($"aspirestream/{Version}");
        if (credentials.AccessToken is { } token)
        {
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }

        if (credentials.ApiKey is { } key)
        {
            client.DefaultRequestHeaders.TryAddWithoutValidation(ServiceConnection.ApiKeyHeader, key);
        }

        return client;
    }
}
