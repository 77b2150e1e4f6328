using System.Collections.Concurrent;
using System.Text;
using AspireStreaming.TestSupport;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using OpenTelemetry.Trace;

namespace AspireStreaming.ServiceDefaults.Tests.Telemetry;

[Collection("exporting")]
public sealed class OtlpExportTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Endpoint_in_the_environment_receives_logs_traces_and_metrics_of_the_named_service()
    {
        var received = new ConcurrentDictionary<string, string>();
        await using var collector = await TestService.StartAsync(map: app => app.MapPost("/v1/{signal}", async (string signal, HttpRequest request) =>
        {
            using var body = new MemoryStream();
            await request.Body.CopyToAsync(body, request.HttpContext.RequestAborted);

            // Spans of whatever else runs in this process may come in an export of their own.
            received.AddOrUpdate(signal, static (_, text) => text, static (_, before, text) => before + text, Encoding.Latin1.GetString(body.ToArray()));
        }));
        await using var service = await TestService.StartAsync(
            builder => builder.Services.ConfigureOpenTelemetryTracerProvider(tracing => tracing.SetSampler(new AlwaysOnSampler())),
            app => app.MapGet("/hello", (ILogger<OtlpExportTests> logger) => LogHello(logger)),
            settings: new()
            {
                ["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.App.Urls.Single(),
                ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
                ["OTEL_SERVICE_NAME"] = "the-service",
                ["OTEL_METRIC_EXPORT_INTERVAL"] = "200",
                ["OTEL_BSP_SCHEDULE_DELAY"] = "200",
                ["OTEL_BLRP_SCHEDULE_DELAY"] = "200",
            });

        (await service.GetAsync("/hello")).Dispose();

        foreach (var (signal, content) in new[] { ("logs", "Hello from the endpoint"), ("traces", "GET /hello"), ("metrics", "http.server.request.duration") })
        {
            await Eventually.TrueAsync(
                () => received.TryGetValue(signal, out var body)
                    && body.Contains(content, StringComparison.Ordinal) && body.Contains("the-service", StringComparison.Ordinal),
                TimeSpan.FromSeconds(20),
                $"{signal} arrived",
                Cancellation);
        }
    }

    private static void LogHello(ILogger logger) => logger.LogWarning("Hello from the endpoint");
}
