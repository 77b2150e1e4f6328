using System.Diagnostics.Metrics;

namespace AspireStreaming.StreamApi;

/// <summary>The instruments of this service.</summary>
internal sealed class StreamApiMetrics
{
    /// <summary>Name of the meter.</summary>
    public const string MeterName = "AspireStreaming.StreamApi";

    private readonly Meter _meter;
    private long _delivered;
    private long _deliveredBytes;
    private long _flushes;
    private long _wakes;

    public StreamApiMetrics(IMeterFactory factory)
    {
        _meter = factory.Create(MeterName);
        _meter.CreateObservableCounter(
            "aspirestreaming.stream.wakes", () => Volatile.Read(ref _wakes), "{message}", "Wake messages received");
        LostWakes = _meter.CreateCounter<long>("aspirestreaming.stream.wakes.lost", "{message}", "Appends that only the tail check revealed");
        TailChecks = _meter.CreateCounter<long>("aspirestreaming.stream.tail_checks", "{check}", "Rounds of the tail check");
        TierReads = _meter.CreateCounter<long>("aspirestreaming.stream.tier_reads", "{read}", "Reads of the hot log and the archive");

        // Every delivery counts in these: they are looked at when somebody asks, which costs a delivery less than telling each time.
        _meter.CreateObservableCounter(
            "aspirestreaming.stream.deliveries", () => DeliveredTotal, "{event}", "Events written to subscribers");
        _meter.CreateObservableCounter("aspirestreaming.stream.bytes", () => DeliveredBytes, "By", "Bytes written to subscribers");
        _meter.CreateObservableCounter(
            "aspirestreaming.stream.flushes", () => Volatile.Read(ref _flushes), "{flush}", "Flushes to subscribers");
        Gaps = _meter.CreateCounter<long>("aspirestreaming.stream.gaps", "{gap}", "Gaps announced to subscribers");
        Drops = _meter.CreateCounter<long>("aspirestreaming.stream.drops", "{event}", "Events skipped by a subscriber's own policy");
        Refused = _meter.CreateCounter<long>("aspirestreaming.stream.connections.refused", "{connection}", "Connections refused for lack of room");
        DeliveryLag = _meter.CreateHistogram(
            "aspirestreaming.stream.delivery.lag", "s", "From an event's record in the hot log to its write, per live flush",
            advice: new InstrumentAdvice<double>
            {
                HistogramBucketBoundaries = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
            });
    }

    public Counter<long> LostWakes { get; }

    public Counter<long> TailChecks { get; }

    public Counter<long> TierReads { get; }

    public Counter<long> Gaps { get; }

    public Counter<long> Drops { get; }

    public Counter<long> Refused { get; }

    public Histogram<double> DeliveryLag { get; }

    /// <summary>Events delivered since the start.</summary>
    public long DeliveredTotal => Volatile.Read(ref _delivered);

    /// <summary>Bytes delivered since the start.</summary>
    public long DeliveredBytes => Volatile.Read(ref _deliveredBytes);

    /// <summary>Counts one wake message.</summary>
    public void Woken() => Interlocked.Increment(ref _wakes);

    /// <summary>Counts one flush.</summary>
    public void Flushed(int events, long bytes)
    {
        Interlocked.Add(ref _delivered, events);
        Interlocked.Add(ref _deliveredBytes, bytes);
        Interlocked.Increment(ref _flushes);
    }

    /// <summary>Adds gauges that are read when somebody looks.</summary>
    public void Observe(
        Func<IEnumerable<Measurement<int>>> connections,
        Func<IEnumerable<Measurement<int>>> cursors,
        Func<int> feeds,
        Func<long> windowBytes)
    {
        _meter.CreateObservableGauge("aspirestreaming.stream.connections", connections, "{connection}", "Connections open, by transport");
        _meter.CreateObservableGauge("aspirestreaming.stream.cursors", cursors, "{cursor}", "Cursors, by the tier that they read");
        _meter.CreateObservableGauge("aspirestreaming.stream.feeds", feeds, "{stream}", "Streams that have readers here");
        _meter.CreateObservableGauge("aspirestreaming.stream.window.bytes", windowBytes, "By", "Bytes in all windows");
    }
}
