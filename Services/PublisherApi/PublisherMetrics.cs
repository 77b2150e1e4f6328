using System.Diagnostics;
using System.Diagnostics.Metrics;
using AspireStreaming.PublisherApi.Appending;
using AspireStreaming.PublisherApi.Healing;
using AspireStreaming.PublisherApi.Http;
using AspireStreaming.ServiceDefaults;
using AspireStreaming.Streaming.Redis;
using Microsoft.Extensions.Options;

namespace AspireStreaming.PublisherApi;

/// <summary>What this replica counts, under the meter <c>AspireStreaming.PublisherApi</c>.</summary>
internal sealed class PublisherMetrics : IDisposable
{
    public const string Name = "AspireStreaming.PublisherApi";

    private static readonly KeyValuePair<string, object?>[][] Reasons =
        [.. Enum.GetValues<ProblemKind>().Select(kind => new[] { KeyValuePair.Create("reason", (object?)Problems.Slug(kind)) })];

    private readonly Meter _meter;
    private readonly Counter<long> _appended;
    private readonly Counter<long> _duplicates;
    private readonly Counter<long> _refused;
    private readonly Counter<long> _retries;
    private readonly Counter<long> _criticalDropped;
    private readonly Counter<long> _deleted;
    private readonly Histogram<double> _appendDuration;
    private readonly Histogram<long> _batchSize;

    public PublisherMetrics(IMeterFactory meters, HotLog log, RedisCircuit circuit, InFlightBytes inFlight, AcknowledgedEvents acknowledged, IOptions<HotLogOptions> hotLog)
    {
        _meter = meters.Create(Name);
        _appended = _meter.CreateCounter<long>("publisher.events.appended", "{event}", "Events appended to the hot log.");
        _duplicates = _meter.CreateCounter<long>("publisher.events.duplicates", "{event}", "Events that were in the hot log already.");
        _refused = _meter.CreateCounter<long>("publisher.requests.refused", "{request}", "Publishes refused, by reason.");
        _retries = _meter.CreateCounter<long>(
            "publisher.redis.retries", "{retry}", "Appends tried again because Redis was away or silent.");
        _criticalDropped = _meter.CreateCounter<long>(
            "publisher.events.critical_dropped", "{event}", "Critical events that could not be accepted.");
        _deleted = _meter.CreateCounter<long>("publisher.streams.deleted", "{stream}", "Streams deleted.");
        _appendDuration = _meter.CreateHistogram(
            "publisher.append.duration",
            "s",
            "Time of an append, retries included.",
            advice: new InstrumentAdvice<double>
            {
                HistogramBucketBoundaries = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
            });
        _batchSize = _meter.CreateHistogram(
            "publisher.batch.size",
            "{event}",
            "Events in one append.",
            advice: new InstrumentAdvice<long> { HistogramBucketBoundaries = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000] });
        _meter.CreateObservableGauge(
            "publisher.archive.backlog", () => log.ArchiveBacklogBytes, "By", "Bytes waiting for the archiver, as far as this replica has heard.");
        var limit = hotLog.Value.MaxArchiveBacklogBytes;
        _meter.CreateObservableGauge(
            "publisher.archive.backlog_limit", () => limit, "By", "Bytes at which publishes are refused; 0 = no limit.");
        _meter.CreateObservableGauge(
            "publisher.healing.retained", () => acknowledged.Bytes, "By", "Acknowledged events kept until the archive has them.");
        _meter.CreateObservableCounter(
            "publisher.healing.evicted", () => acknowledged.Evicted, "{event}", "Acknowledged events no longer kept because of the bound.");
        _meter.CreateObservableGauge("publisher.requests.bytes", () => inFlight.Current, "By", "Bytes reserved for request bodies.");
        _meter.CreateObservableGauge(
            "publisher.redis.circuit", () => (long)circuit.State, "{state}", "State of the circuit to Redis: 0 closed, 1 half-open, 2 open.");
    }

    public void Appended(AppendResult result, int events, TimeSpan duration)
    {
        _appendDuration.Record(duration.TotalSeconds);
        _batchSize.Record(events);
        if (result.Accepted > 0)
        {
            _appended.Add(result.Accepted);
        }

        if (result.Duplicates > 0)
        {
            _duplicates.Add(result.Duplicates);
        }
    }

    public void Refused(ProblemKind kind) => _refused.Add(1, new TagList(Reasons[(int)kind]));

    public void Retried() => _retries.Add(1);

    public void CriticalDropped(int events) => _criticalDropped.Add(events);

    public void Deleted() => _deleted.Add(1);

    public void Dispose() => _meter.Dispose();
}
