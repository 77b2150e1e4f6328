using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.DependencyInjection;

namespace Aspire.Hosting.Testing;

public static class DistributedApplicationHostingTestingExtensions
{
    public static HttpClient CreateHttpClient(this DistributedApplication app, string resourceName, string? endpointName = null)
    {
        var client = app.Services.GetRequiredService<IHttpClientFactory>().CreateClient();
        client.BaseAddress = app.GetEndpoint(resourceName, endpointName);
        return client;
    }

    public static async ValueTask<string?> GetConnectionStringAsync(
        this DistributedApplication app,
        string resourceName,
        CancellationToken cancellationToken = default) =>
        Find(app, resourceName) is IResourceWithConnectionString resource
            ? await resource.GetConnectionStringAsync(cancellationToken).ConfigureAwait(false)
            : throw new ArgumentException($"Resource '{resourceName}' does not expose a connection string.", nameof(resourceName));

    public static Uri GetEndpoint(this DistributedApplication app, string resourceName, string? endpointName = null)
    {
        if (Find(app, resourceName) is not IResourceWithEndpoints resource)
        {
            throw new InvalidOperationException($"Resource '{resourceName}' has no allocated endpoints.");
        }

        // https first, then http, when none is named.
        var endpoint = endpointName is null
            ? resource.GetEndpoints().FirstOrDefault(candidate => candidate.EndpointName == "https")
                ?? resource.GetEndpoints().FirstOrDefault(candidate => candidate.EndpointName == "http")
            : resource.GetEndpoints().FirstOrDefault(candidate =>
                string.Equals(candidate.EndpointName, endpointName, StringComparison.OrdinalIgnoreCase));
        return endpoint switch
        {
            { IsAllocated: true } => new Uri(endpoint.Url),
            { } => throw new InvalidOperationException($"The endpoint of resource '{resourceName}' is not allocated: start the application first."),
            null => throw new ArgumentException(
                endpointName is null
                    ? $"Resource '{resourceName}' has no http or https endpoint."
                    : $"Endpoint '{endpointName}' for resource '{resourceName}' not found.",
                nameof(endpointName)),
        };
    }

    private static IResource Find(DistributedApplication app, string resourceName) =>
        app.Services.GetRequiredService<DistributedApplicationModel>().Resources.TryGetByName(resourceName, out var resource)
            ? resource
            : throw new ArgumentException($"Resource '{resourceName}' not found.", nameof(resourceName));
}
