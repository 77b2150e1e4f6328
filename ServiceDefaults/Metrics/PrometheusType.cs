namespace AspireStreaming.ServiceDefaults.Metrics;

internal enum PrometheusType
{
    Counter,
    Gauge,
    Histogram,
}
