using System.Net;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Aspire.Hosting;

internal sealed class HttpProbe(EndpointReference endpoint, string path, int statusCode) : IHealthCheck
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);

    // A probe over a kept connection would not notice that the listener is gone, hence the short idle time.
    private static readonly HttpClient Client = new(new SocketsHttpHandler
    {
        UseProxy = false,
        AllowAutoRedirect = false,
        ConnectTimeout = Timeout,
        PooledConnectionIdleTimeout = TimeSpan.FromSeconds(1),
    })
    {
        Timeout = Timeout,
    };

    public static void Register(IServiceCollection services, string key, EndpointReference endpoint, string path, int statusCode) =>
        services.AddHealthChecks().Add(new HealthCheckRegistration(
            key, _ => new HttpProbe(endpoint, path, statusCode), failureStatus: null, tags: null));

    public static async Task<HealthCheckResult> CheckAsync(
        Uri uri, string transport, int statusCode, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, uri);
        if (transport == "http2")
        {
            request.Version = HttpVersion.Version20;
            request.VersionPolicy = HttpVersionPolicy.RequestVersionExact;
        }

        try
        {
            using var response = await Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken)
                .ConfigureAwait(false);
            return (int)response.StatusCode == statusCode
                ? HealthCheckResult.Healthy()
                : HealthCheckResult.Unhealthy($"{uri} answered {(int)response.StatusCode}, expected {statusCode}.");
        }
        catch (HttpRequestException exception)
        {
            return HealthCheckResult.Unhealthy($"{uri}: {exception.Message}");
        }
        catch (TaskCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return HealthCheckResult.Unhealthy($"{uri} did not answer within {Timeout.TotalSeconds} s.");
        }
    }

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        endpoint.IsAllocated
            ? CheckAsync(new Uri(new Uri(endpoint.Url), path), endpoint.EndpointAnnotation.Transport, statusCode, cancellationToken)
            : Task.FromResult(HealthCheckResult.Unhealthy($"Endpoint '{endpoint.EndpointName}' is not allocated yet."));
}
