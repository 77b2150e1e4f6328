using AspireStreaming.ServiceDefaults;
using AspireStreaming.ServiceDefaults.Health;
using AspireStreaming.ServiceDefaults.Metrics;
using AspireStreaming.ServiceDefaults.Problems;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Http.Resilience;

namespace Microsoft.Extensions.Hosting;

/// <summary>What every service of AspireStreaming has in common: telemetry, health, discovery, resilient HTTP clients, faults.</summary>
public static class ServiceDefaultsExtensions
{
    /// <summary>
    /// Adds the common services. Call it before the service's own registrations, so that these can override; a
    /// <see cref="WebApplicationBuilder"/> also gets an OpenAPI document and authentication.
    /// </summary>
    public static TBuilder AddServiceDefaults<TBuilder>(this TBuilder builder)
        where TBuilder : IHostApplicationBuilder
    {
        ArgumentNullException.ThrowIfNull(builder);

        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.AddConsoleFormat();
        builder.AddTelemetry();
        builder.Services.AddDefaultHealth();
        builder.Services.AddProblems();

        builder.Services.AddServiceDiscovery();
        builder.Services.ConfigureHttpClientDefaults(http =>
        {
            // A publish that was retried blindly could be appended twice: unsafe methods are retried only by who knows better.
            http.AddStandardResilienceHandler(options => options.Retry.DisableForUnsafeHttpMethods());
            http.AddServiceDiscovery();
        });

        if (builder is WebApplicationBuilder web)
        {
            web.Services.AddApiDocument();
            web.AddStreamAccess();
        }

        return builder;
    }

    /// <summary>
    /// Answers every fault as <c>application/problem+json</c>: unhandled exceptions (500 without internals) and responses
    /// from 400 on that have no body (404, 405, 415 ...). Call it first in the pipeline.
    /// </summary>
    public static WebApplication UseServiceDefaults(this WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);

        app.UseExceptionHandler();

        // It keeps several objects for each request, so endpoints whose requests last, and that give all their refusals a body, go past it.
        app.UseWhen(
            static context => context.GetEndpoint()?.Metadata.GetMetadata<ISkipStatusCodePagesMetadata>() is null,
            static branch => branch.UseStatusCodePages());
        return app;
    }

    /// <summary>Maps <c>/alive</c>, <c>/health</c>, <c>/metrics</c> and <c>/openapi/v1.json</c>, in every environment.</summary>
    public static WebApplication MapDefaultEndpoints(this WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);

        app.MapHealth();
        app.MapMetrics();
        app.MapOpenApi();
        return app;
    }
}
