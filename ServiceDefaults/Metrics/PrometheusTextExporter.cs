using OpenTelemetry;
using OpenTelemetry.Metrics;

namespace AspireStreaming.ServiceDefaults.Metrics;

/// <summary>
/// Turns one collection of all metrics into a Prometheus page. OpenTelemetry's own exporter has no stable release. The
/// SDK bounds the series of each metric (2,000 by default; what exceeds it is counted in one overflow series).
/// </summary>
[ExportModes(ExportModes.Pull)]
internal sealed class PrometheusTextExporter : BaseExporter<Metric>, IPullMetricExporter
{
    private string? _targetLabels;
    private int _lastLength = 4096;

    /// <summary>Set by the reader; runs <see cref="Export"/> before it returns.</summary>
    public Func<int, bool>? Collect { get; set; }

    /// <summary>The page of the last collection.</summary>
    public byte[] Page { get; private set; } = [];

    public override ExportResult Export(in Batch<Metric> batch)
    {
        var writer = new PrometheusTextWriter(_lastLength);
        writer.WriteHeader("target_info", PrometheusType.Gauge, "Target metadata");
        writer.WriteSample("target_info", _targetLabels ??= TargetLabels(), bound: null, 1L);

        foreach (var (name, family) in Families(batch))
        {
            writer.WriteHeader(name, family.Type, family.Metrics[0].Description);
            foreach (var metric in family.Metrics)
            {
                WriteMetric(writer, name, metric);
            }
        }

        Page = writer.ToUtf8();
        _lastLength = Page.Length + 1024;
        return ExportResult.Success;
    }

    /// <summary>Meters may share a name; its samples must stand together under one type, so a later one of another type is left out.</summary>
    private static Dictionary<string, Family> Families(in Batch<Metric> batch)
    {
        var families = new Dictionary<string, Family>(StringComparer.Ordinal);
        foreach (var metric in batch)
        {
            var type = TypeOf(metric);
            var name = PrometheusName.OfMetric(metric.Name, metric.Unit, type);
            if (!families.TryGetValue(name, out var family))
            {
                families[name] = family = new Family(type);
            }

            if (family.Type == type)
            {
                family.Metrics.Add(metric);
            }
        }

        return families;
    }

    private static PrometheusType TypeOf(Metric metric) => metric.MetricType switch
    {
        MetricType.Histogram or MetricType.ExponentialHistogram => PrometheusType.Histogram,
        MetricType.LongSum or MetricType.DoubleSum => PrometheusType.Counter,
        _ => PrometheusType.Gauge,
    };

    private static void WriteMetric(PrometheusTextWriter writer, string name, Metric metric)
    {
        foreach (ref readonly var point in metric.GetMetricPoints())
        {
            var labels = PrometheusTextWriter.FormatLabels(LabelsOf(metric, point.Tags));
            switch (metric.MetricType)
            {
                case MetricType.LongSum or MetricType.LongSumNonMonotonic:
                    writer.WriteSample(name, labels, bound: null, point.GetSumLong());
                    break;
                case MetricType.DoubleSum or MetricType.DoubleSumNonMonotonic:
                    writer.WriteSample(name, labels, bound: null, point.GetSumDouble());
                    break;
                case MetricType.LongGauge:
                    writer.WriteSample(name, labels, bound: null, point.GetGaugeLastValueLong());
                    break;
                case MetricType.DoubleGauge:
                    writer.WriteSample(name, labels, bound: null, point.GetGaugeLastValueDouble());
                    break;
                default:
                    WriteHistogram(writer, name, labels, metric.MetricType, in point);
                    break;
            }
        }
    }

    private static void WriteHistogram(PrometheusTextWriter writer, string name, string labels, MetricType type, in MetricPoint point)
    {
        // This format has no exponential buckets; of such a histogram only count and sum remain.
        var count = point.GetHistogramCount();
        if (type == MetricType.Histogram)
        {
            var cumulative = 0L;
            foreach (var bucket in point.GetHistogramBuckets())
            {
                cumulative += bucket.BucketCount;
                if (!double.IsPositiveInfinity(bucket.ExplicitBound))
                {
                    writer.WriteSample(name + "_bucket", labels, bucket.ExplicitBound, cumulative);
                }
            }
        }

        writer.WriteSample(name + "_bucket", labels, double.PositiveInfinity, count);
        writer.WriteSample(name + "_sum", labels, bound: null, point.GetHistogramSum());
        writer.WriteSample(name + "_count", labels, bound: null, count);
    }

    private static List<KeyValuePair<string, object?>> LabelsOf(Metric metric, ReadOnlyTagCollection tags)
    {
        var labels = new List<KeyValuePair<string, object?>>(tags.Count + 1) { new("otel_scope_name", metric.MeterName) };
        foreach (var tag in tags)
        {
            labels.Add(tag);
        }

        return labels;
    }

    private string TargetLabels() => PrometheusTextWriter.FormatLabels(
        ParentProvider.GetResource().Attributes.Select(attribute => KeyValuePair.Create(attribute.Key, (object?)attribute.Value)));

    private sealed record Family(PrometheusType Type)
    {
        public List<Metric> Metrics { get; } = [];
    }
}
