using System.Collections.Concurrent;
using System.Diagnostics;
using AspireStreaming.TestSupport;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using OpenTelemetry;
using OpenTelemetry.Trace;

namespace AspireStreaming.ServiceDefaults.Tests.Telemetry;

[Collection("exporting")]
public sealed class TracingTests
{
    [Fact]
    public async Task Server_span_is_named_after_the_route_and_follows_the_conventions()
    {
        var spans = new SpanList();
        await using var service = await StartAsync(spans);

        (await service.GetAsync("/things/7?secret=1")).Dispose();

        var span = await spans.SingleAsync("/things/7");
        Assert.Equal("GET /things/{id}", span.DisplayName);
        Assert.Equal("/things/{id}", span.GetTagItem("http.route"));
        Assert.Equal("GET", span.GetTagItem("http.request.method"));
        Assert.Equal("http", span.GetTagItem("url.scheme"));
        Assert.Equal("127.0.0.1", span.GetTagItem("server.address"));
        Assert.Equal(200, span.GetTagItem("http.response.status_code"));
        Assert.Equal(ActivityStatusCode.Unset, span.Status);
    }

    [Fact]
    public async Task Server_span_of_a_500_is_an_error()
    {
        var spans = new SpanList();
        await using var service = await StartAsync(spans);

        (await service.GetAsync("/boom")).Dispose();

        var span = await spans.SingleAsync("/boom");
        Assert.Equal(ActivityStatusCode.Error, span.Status);
        Assert.Equal(500, span.GetTagItem("http.response.status_code"));
    }

    [Fact]
    public async Task Probes_leave_no_spans_and_our_own_sources_do()
    {
        var spans = new SpanList();
        await using var service = await StartAsync(spans);
        using var source = new ActivitySource("AspireStreaming.Anything");

        (await service.GetAsync("/alive")).Dispose();
        (await service.GetAsync("/health")).Dispose();
        (await service.GetAsync("/metrics")).Dispose();
        source.StartActivity("own")?.Dispose();
        (await service.GetAsync("/things/8")).Dispose();

        await spans.SingleAsync("/things/8");
        Assert.Contains(spans.Ended, span => span.OperationName == "own");
        Assert.DoesNotContain(spans.Ended, span => (string?)span.GetTagItem("url.path") is "/alive" or "/health" or "/metrics");
    }

    [Fact]
    public async Task Own_source_has_no_listener_where_nothing_takes_spans()
    {
        await using var service = await StartAsync(new SpanList(), exported: false);
        using var source = new ActivitySource($"AspireStreaming.{Guid.NewGuid():N}");
        Assert.False(source.HasListeners());

        await using var exporting = await StartAsync(new SpanList());
        Assert.True(source.HasListeners());
    }

    private static Task<TestService> StartAsync(SpanList spans, bool exported = true) => TestService.StartAsync(
        builder => builder.Services.ConfigureOpenTelemetryTracerProvider(tracing => tracing.SetSampler(new AlwaysOnSampler()).AddProcessor(spans)),
        app =>
        {
            app.MapGet("/things/{id}", (string id) => id);
            app.MapGet("/boom", () => Results.StatusCode(500));
        },
        exported ? new() { ["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:9" } : null);

    private sealed class SpanList : BaseProcessor<Activity>
    {
        public ConcurrentQueue<Activity> Ended { get; } = new();

        public override void OnEnd(Activity data) => Ended.Enqueue(data);

        /// <summary>The server span of a path; it ends a moment after the client has its response.</summary>
        public async Task<Activity> SingleAsync(string path)
        {
            await Eventually.TrueAsync(() => Find(path).Any(), TimeSpan.FromSeconds(10), $"a span of {path}", TestContext.Current.CancellationToken);
            return Assert.Single(Find(path));
        }

        private IEnumerable<Activity> Find(string path) =>
            Ended.Where(span => span.Kind == ActivityKind.Server && (string?)span.GetTagItem("url.path") == path);
    }
}
