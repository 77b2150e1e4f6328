using AspireStreaming.ServiceDefaults.Health;
using AspireStreaming.ServiceDefaults.OpenApi;
using Microsoft.Extensions.DependencyInjection;

namespace Microsoft.Extensions.Hosting;

/// <summary>The OpenAPI document of a service.</summary>
public static class OpenApiExtensions
{
    private const string Tag = "Service";

    private static readonly ApiOperation[] Common =
    [
        new("GET", "/alive", "Tell that the process lives")
        {
            Tag = Tag,
            Claim = null,
            Answers = [new(200, "It does.", new ApiContent("application/json", typeof(HealthDocument)))],
        },
        new("GET", "/health", "Tell whether the service can serve, and why not")
        {
            Tag = Tag,
            Claim = null,
            Description = "Where credentials are needed, only the status without one.",
            Answers =
            [
                new(200, "Healthy or degraded.", new ApiContent("application/json", typeof(HealthDocument))),
                new(503, "Unhealthy or draining.", new ApiContent("application/json", typeof(HealthDocument))),
            ],
        },
        new("GET", "/metrics", "This replica's metrics for Prometheus")
        {
            Tag = Tag,
            Claim = "admin",
            Answers = [new(200, "Metrics.", new ApiContent("text/plain")), new(503, "Too many scrapes at once.")],
        },
        new("GET", "/openapi/v1.json", "This document")
        {
            Tag = Tag,
            Answers = [new(200, "OpenAPI.", new ApiContent("application/json"))],
        },
    ];

    /// <summary>Describes the service's operations.</summary>
    public static void AddApiOperations(this IServiceCollection services, IEnumerable<ApiOperation> operations)
    {
        ArgumentNullException.ThrowIfNull(operations);
        foreach (var operation in operations)
        {
            services.AddSingleton(operation);
        }
    }

    internal static void AddApiDocument(this IServiceCollection services)
    {
        services.AddApiOperations(Common);
        services.AddOpenApi(options => options.AddDocumentTransformer<ApiDocumentTransformer>());
    }
}
