using Microsoft.Extensions.DependencyInjection;

namespace AspireStreaming.Hosting.Tests;

internal static class ModelQueries
{
    public static string GetEndpointTransport(this IServiceProvider services, string resource, string endpoint) =>
        services.GetRequiredService<DistributedApplicationModel>().Resources.Single(r => r.Name == resource)
            .Annotations.OfType<EndpointAnnotation>().Single(e => e.Name == endpoint).Transport;
}
