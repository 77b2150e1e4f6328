using AspireStreaming.ServiceDefaults.Metrics;

namespace AspireStreaming.ServiceDefaults.Tests.Metrics;

public sealed class PrometheusNameTests
{
    [Theory]
    [InlineData("http.server.request.duration", "s", nameof(PrometheusType.Histogram), "http_server_request_duration_seconds")]
    [InlineData("http.server.active_requests", "{request}", nameof(PrometheusType.Gauge), "http_server_active_requests")]
    [InlineData("events", "{event}", nameof(PrometheusType.Counter), "events_total")]
    [InlineData("events_total", null, nameof(PrometheusType.Counter), "events_total")]
    [InlineData("cpu.time.total", "s", nameof(PrometheusType.Counter), "cpu_time_seconds_total")]
    [InlineData("sent", "By", nameof(PrometheusType.Counter), "sent_bytes_total")]
    [InlineData("sent.bytes", "By", nameof(PrometheusType.Counter), "sent_bytes_total")]
    [InlineData("fill", "1", nameof(PrometheusType.Gauge), "fill_ratio")]
    [InlineData("fill", "1", nameof(PrometheusType.Counter), "fill_total")]
    [InlineData("rate", "By/s", nameof(PrometheusType.Gauge), "rate_bytes_per_second")]
    [InlineData("rate", "{packet}/s", nameof(PrometheusType.Gauge), "rate_per_second")]
    [InlineData("load", "%", nameof(PrometheusType.Gauge), "load_percent")]
    [InlineData("odd", "foo bar", nameof(PrometheusType.Gauge), "odd_foo_bar")]
    [InlineData("2nd--try", null, nameof(PrometheusType.Gauge), "_2nd_try")]
    public void OfMetric_follows_the_compatibility_rules(string name, string? unit, string type, string expected) =>
        Assert.Equal(expected, PrometheusName.OfMetric(name, unit, Enum.Parse<PrometheusType>(type)));

    [Theory]
    [InlineData("http.route", "http_route")]
    [InlineData("9lives", "_9lives")]
    [InlineData("a:b", "a_b")]
    public void OfLabel_keeps_only_what_a_label_may_have(string key, string expected) => Assert.Equal(expected, PrometheusName.OfLabel(key));
}
