using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using OpenTelemetry.Metrics;

namespace AspireStreaming.ServiceDefaults.Metrics;

internal static class MetricsExtensions
{
    private const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    public static void AddPrometheus(this IServiceCollection services)
    {
        services.TryAddSingleton<PrometheusTextExporter>();
        services.TryAddSingleton<MetricsScraper>();
        services.ConfigureOpenTelemetryMeterProvider(metrics => metrics.AddReader(
            provider => new BaseExportingMetricReader(provider.GetRequiredService<PrometheusTextExporter>())));
    }

    public static void MapMetrics(this IEndpointRouteBuilder endpoints) =>
        endpoints.MapGet("/metrics", GetMetricsAsync).RequireAdmin().ExcludeFromDescription().DisableHttpMetrics();

    private static async Task<Results<FileContentHttpResult, StatusCodeHttpResult>> GetMetricsAsync(
        MetricsScraper scraper, HttpContext context)
    {
        if (await scraper.ScrapeAsync(context.RequestAborted) is not { } page)
        {
            return TypedResults.StatusCode(StatusCodes.Status503ServiceUnavailable);
        }

        context.Response.Headers.CacheControl = "no-store";
        return TypedResults.Bytes(page, ContentType);
    }
}
