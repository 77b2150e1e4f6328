using AspireStreaming.ServiceDefaults.Auth;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace AspireStreaming.ServiceDefaults.Health;

internal static class HealthEndpoints
{
    private static readonly string[] Methods = [HttpMethods.Get, HttpMethods.Head];

    public static void MapHealth(this IEndpointRouteBuilder endpoints)
    {
        endpoints.MapMethods("/alive", Methods, GetAliveAsync).AllowAnonymous().ExcludeFromDescription().DisableHttpMetrics();
        endpoints.MapMethods("/health", Methods, GetHealthAsync).AllowAnonymous().ExcludeFromDescription().DisableHttpMetrics();
    }

    private static async Task<JsonHttpResult<HealthDocument>> GetAliveAsync(HttpContext context, HealthReporter reporter, TimeProvider time)
    {
        var status = await reporter.GetLivenessAsync();
        return Answer(context, new HealthDocument(HealthDocument.NameOf(status), time.GetUtcNow().UtcDateTime), status);
    }

    private static async Task<JsonHttpResult<HealthDocument>> GetHealthAsync(
        HttpContext context, HealthReporter reporter, DrainState drain, TimeProvider time)
    {
        var report = await reporter.GetAsync().WaitAsync(context.RequestAborted);
        var status = drain.IsDraining ? HealthStatus.Unhealthy : report.Status;
        var document = new HealthDocument(
            HealthDocument.NameOf(status), time.GetUtcNow().UtcDateTime, Draining: drain.IsDraining ? true : null);
        if (context.GetStreamAccess() != StreamAccess.Nothing)
        {
            var details = context.RequestServices.GetService<IHealthDetails>();
            document = document with
            {
                Stream = details?.Stream ?? new StreamHealth(),
                Workflows = details?.Workflows ?? new WorkflowHealth(),
                Dependencies = report.Entries
                    .Where(entry => !entry.Value.Tags.Contains(HealthProbe.LiveTag))
                    .ToDictionary(entry => entry.Key, entry => Describe(entry.Value)),
            };
        }

        return Answer(context, document, status);
    }

    private static DependencyHealth Describe(HealthReportEntry entry) => new(
        HealthDocument.NameOf(entry.Status), entry.Description, Math.Round(entry.Duration.TotalMilliseconds, 3));

    private static JsonHttpResult<HealthDocument> Answer(HttpContext context, HealthDocument document, HealthStatus status)
    {
        context.Response.Headers.CacheControl = "no-store";
        return TypedResults.Json(
            document,
            HealthJsonContext.Default.HealthDocument,
            statusCode: status == HealthStatus.Unhealthy ? StatusCodes.Status503ServiceUnavailable : StatusCodes.Status200OK);
    }
}
