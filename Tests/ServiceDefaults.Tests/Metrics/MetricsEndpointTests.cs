using System.Diagnostics.Metrics;
using System.Text.RegularExpressions;
using AspireStreaming.TestSupport;

namespace AspireStreaming.ServiceDefaults.Tests.Metrics;

public sealed partial class MetricsEndpointTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Metrics_are_a_page_that_Prometheus_can_read()
    {
        await using var service = await TestService.StartAsync();
        (await service.GetAsync("/nothing-here")).Dispose();

        using var response = await service.GetAsync("/metrics");
        var page = await response.Content.ReadAsStringAsync(Cancellation);

        Assert.Equal("text/plain; version=0.0.4; charset=utf-8", response.Content.Headers.ContentType?.ToString());
        Assert.EndsWith("\n", page, StringComparison.Ordinal);
        var typed = new HashSet<string>();
        foreach (var line in page.TrimEnd('\n').Split('\n'))
        {
            Assert.Matches(Line(), line);
            if (line.StartsWith("# TYPE ", StringComparison.Ordinal))
            {
                Assert.True(typed.Add(line.Split(' ')[2]), line);
            }
        }

        Assert.Contains("dotnet_gc_collections_total", typed);
        Assert.Contains("http_server_request_duration_seconds", typed);
        Assert.Contains("kestrel_active_connections", typed);
    }

    [Fact]
    public async Task Metrics_of_our_own_meters_appear()
    {
        using var meter = new Meter("AspireStreaming.Something.New");
        var counter = meter.CreateCounter<int>("aspirestreaming.things");
        await using var service = await TestService.StartAsync();
        counter.Add(5);

        await Eventually.TrueAsync(
            async () => (await service.Client.GetStringAsync("/metrics", Cancellation)).Contains(
                "aspirestreaming_things_total{otel_scope_name=\"AspireStreaming.Something.New\"} 5\n", StringComparison.Ordinal),
            TimeSpan.FromSeconds(10),
            "the counter is on the page",
            Cancellation);
    }

    [Fact]
    public async Task Metrics_scraped_side_by_side_are_all_answered()
    {
        await using var service = await TestService.StartAsync();

        var pages = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => service.Client.GetStringAsync("/metrics", Cancellation)));

        Assert.All(pages, page => Assert.Contains("target_info", page, StringComparison.Ordinal));
    }

    // The grammar of the text exposition format 0.0.4.
    [GeneratedRegex(
        """^(# HELP [a-zA-Z_:][a-zA-Z0-9_:]* .*|# TYPE [a-zA-Z_:][a-zA-Z0-9_:]* (counter|gauge|histogram)|[a-zA-Z_:][a-zA-Z0-9_:]*(\{[a-zA-Z_][a-zA-Z0-9_]*="(\\["\\n]|[^"\\])*"(,[a-zA-Z_][a-zA-Z0-9_]*="(\\["\\n]|[^"\\])*")*\})? ([+-]Inf|NaN|-?[0-9.]+(E[+-]?[0-9]+)?))$""")]
    private static partial Regex Line();
}
