using System.Diagnostics.Metrics;
using System.Text;
using AspireStreaming.ServiceDefaults.Metrics;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;

namespace AspireStreaming.ServiceDefaults.Tests.Metrics;

public sealed class PrometheusTextExporterTests
{
    [Fact]
    public void Collect_writes_every_kind_of_instrument()
    {
        using var meter = new Meter("AspireStreaming.Kinds");
        var page = Scrape([meter], () =>
        {
            meter.CreateCounter<long>("events", "{event}", "Events \\ accepted\nso far").Add(3, new KeyValuePair<string, object?>("kind", "a\"b\\c\nd"));
            meter.CreateUpDownCounter<int>("open").Add(-2);
            meter.CreateObservableGauge("temperature", () => 21.5, "Cel");
            var histogram = meter.CreateHistogram("wait", "s", null, null, new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.1, 1] });
            histogram.Record(0.05, new KeyValuePair<string, object?>("ok", true));
            histogram.Record(0.5, new KeyValuePair<string, object?>("ok", true));
            histogram.Record(5, new KeyValuePair<string, object?>("ok", true));
        });

        Assert.Equal(
            """
            # HELP target_info Target metadata
            # TYPE target_info gauge
            target_info{service_name="tests"} 1
            # HELP events_total Events \\ accepted\nso far
            # TYPE events_total counter
            events_total{kind="a\"b\\c\nd",otel_scope_name="AspireStreaming.Kinds"} 3
            # TYPE open gauge
            open{otel_scope_name="AspireStreaming.Kinds"} -2
            # TYPE temperature_celsius gauge
            temperature_celsius{otel_scope_name="AspireStreaming.Kinds"} 21.5
            # TYPE wait_seconds histogram
            wait_seconds_bucket{ok="true",otel_scope_name="AspireStreaming.Kinds",le="0.1"} 1
            wait_seconds_bucket{ok="true",otel_scope_name="AspireStreaming.Kinds",le="1"} 2
            wait_seconds_bucket{ok="true",otel_scope_name="AspireStreaming.Kinds",le="+Inf"} 3
            wait_seconds_sum{ok="true",otel_scope_name="AspireStreaming.Kinds"} 5.55
            wait_seconds_count{ok="true",otel_scope_name="AspireStreaming.Kinds"} 3

            """,
            page);
    }

    [Fact]
    public void Collect_puts_a_name_that_two_meters_share_under_one_type()
    {
        using var first = new Meter("AspireStreaming.First");
        using var second = new Meter("AspireStreaming.Second");
        var page = Scrape([first, second], () =>
        {
            first.CreateCounter<int>("same").Add(1);
            first.CreateCounter<int>("between").Add(1);
            second.CreateCounter<int>("same").Add(2);
        });

        Assert.Contains(
            """
            # TYPE same_total counter
            same_total{otel_scope_name="AspireStreaming.First"} 1
            same_total{otel_scope_name="AspireStreaming.Second"} 2
            # TYPE between_total counter
            """,
            page,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Collect_joins_values_of_keys_that_become_one_label()
    {
        using var meter = new Meter("AspireStreaming.Labels");
        var page = Scrape([meter], () => meter.CreateCounter<int>("c").Add(
            1, new KeyValuePair<string, object?>("a.b", "x"), new KeyValuePair<string, object?>("a_b", "y"), new KeyValuePair<string, object?>("n", null)));

        Assert.Contains("c_total{a_b=\"x;y\",n=\"\",otel_scope_name=\"AspireStreaming.Labels\"} 1\n", page, StringComparison.Ordinal);
    }

    [Fact]
    public void Collect_keeps_large_counts_exact_and_spells_infinities()
    {
        using var meter = new Meter("AspireStreaming.Numbers");
        var page = Scrape([meter], () =>
        {
            meter.CreateCounter<long>("big").Add(long.MaxValue);
            meter.CreateObservableGauge("up", () => double.PositiveInfinity);
            meter.CreateObservableGauge("nan", () => double.NaN);
        });

        Assert.Contains("} 9223372036854775807\n", page, StringComparison.Ordinal);
        Assert.Contains("up{otel_scope_name=\"AspireStreaming.Numbers\"} +Inf\n", page, StringComparison.Ordinal);
        Assert.Contains("nan{otel_scope_name=\"AspireStreaming.Numbers\"} NaN\n", page, StringComparison.Ordinal);
    }

    [Fact]
    public void Collect_is_bounded_however_many_label_values_there_are()
    {
        using var meter = new Meter("AspireStreaming.Many");
        var page = Scrape([meter], () =>
        {
            var counter = meter.CreateCounter<int>("many");
            for (var i = 0; i < 10_000; i++)
            {
                counter.Add(1, new KeyValuePair<string, object?>("i", i));
            }
        });

        Assert.InRange(page.Split('\n').Length, 100, 2_100);
        Assert.Contains("otel_metric_overflow=\"true\"", page, StringComparison.Ordinal);
    }

    private static string Scrape(Meter[] meters, Action record)
    {
        using var exporter = new PrometheusTextExporter();
        using var provider = Sdk.CreateMeterProviderBuilder()
            .SetResourceBuilder(ResourceBuilder.CreateEmpty().AddService("tests", autoGenerateServiceInstanceId: false))
            .AddMeter([.. meters.Select(meter => meter.Name)])
            .AddReader(new BaseExportingMetricReader(exporter))
            .Build();
        record();
        Assert.True(exporter.Collect!(1_000));
        return Encoding.UTF8.GetString(exporter.Page);
    }
}
