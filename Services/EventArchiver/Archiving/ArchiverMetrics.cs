using System.Collections.Immutable;
using System.Diagnostics.Metrics;
using AspireStreaming.Archive.Writing;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.EventArchiver.Archiving;

/// <summary>What this replica counts and measures.</summary>
internal sealed class ArchiverMetrics : IDisposable
{
    /// <summary>Name of the meter.</summary>
    public const string MeterName = "AspireStreaming.EventArchiver";

    private const int MaxLanes = 16;

    private static readonly ImmutableArray<string> EndStates =
        [StreamStates.Completed, StreamStates.Failed, StreamStates.Cancelled, StreamStates.Ended];

    private readonly TimeProvider _time;
    private readonly Meter _meter;
    private readonly Counter<long> _events;
    private readonly Counter<long> _batches;
    private readonly Counter<long> _failures;
    private readonly Counter<long> _staged;
    private readonly Counter<long> _dead;
    private readonly Counter<long> _takeovers;
    private readonly Histogram<double> _duration;
    private readonly long[] _oldest = new long[MaxLanes];
    private readonly long[] _ends = new long[EndStates.Length];
    private long _archived;
    private long _backlogEntries;
    private long _backlogBytes;
    private double _rate;
    private long _rateArchived;
    private long _rateAt;

    public ArchiverMetrics(IMeterFactory factory, OwnedPartitions owned, TimeProvider time)
    {
        _time = time;
        _rateAt = time.GetTimestamp();
        Array.Fill(_oldest, long.MaxValue);
        _meter = factory.Create(MeterName);
        _events = _meter.CreateCounter<long>("archiver.events", "{event}", "Events archived.");
        _batches = _meter.CreateCounter<long>("archiver.batches", "{batch}", "Transactions committed.");
        _failures = _meter.CreateCounter<long>("archiver.commit.failures", "{failure}", "Transactions that failed and were tried again.");
        _staged = _meter.CreateCounter<long>(
            "archiver.staged.batches", "{batch}", "Transactions that went through staging because entries came again.");
        _dead = _meter.CreateCounter<long>("archiver.dead_events", "{event}", "Events that PostgreSQL refuses, kept in dead_events.");
        _takeovers = _meter.CreateCounter<long>(
            "archiver.takeovers", "{partition}", "Partitions taken over from a replica that did not release them.");
        _duration = _meter.CreateHistogram<double>("archiver.batch.duration", "s", "Time from a full batch to its commit.");
        _meter.CreateObservableGauge(
            "archiver.rate", () => Volatile.Read(ref _rate), "{event}/s", "Events archived a second, over the last seconds.");
        _meter.CreateObservableGauge(
            "archiver.backlog.entries", () => Volatile.Read(ref _backlogEntries), "{entry}", "Entries in the archive logs of owned partitions.");
        _meter.CreateObservableGauge(
            "archiver.backlog.size", () => Volatile.Read(ref _backlogBytes), "By", "Bytes in the archive logs of owned partitions.");
        _meter.CreateObservableGauge("archiver.oldest.age", OldestAge, "s", "Age of the oldest event in hand that is not archived.");
        _meter.CreateObservableGauge(
            "archiver.partitions.owned", () => owned.All.Count, "{partition}", "Partitions that this replica owns.");
    }

    /// <summary>Events archived since the start.</summary>
    public long Archived => Volatile.Read(ref _archived);

    /// <summary>Streams whose end was archived since the start, by state.</summary>
    public (long Completed, long Failed, long Cancelled, long Ended) Ends =>
        (Volatile.Read(ref _ends[0]), Volatile.Read(ref _ends[1]), Volatile.Read(ref _ends[2]), Volatile.Read(ref _ends[3]));

    /// <summary>After a commit.</summary>
    public void Committed(CommitResult result, TimeSpan duration)
    {
        Interlocked.Add(ref _archived, result.Inserted);
        _events.Add(result.Inserted);
        _batches.Add(1);
        _duration.Record(duration.TotalSeconds);
        if (result.Path != ArchivePath.Direct)
        {
            _staged.Add(1);
        }

        if (result.Dead.Count > 0)
        {
            _dead.Add(result.Dead.Count);
        }
    }

    /// <summary>After a commit that failed.</summary>
    public void CommitFailed() => _failures.Add(1);

    /// <summary>After a takeover.</summary>
    public void TookOver() => _takeovers.Add(1);

    /// <summary>After the end of a stream was archived.</summary>
    public void Ended(string state) => Interlocked.Increment(ref _ends[EndStates.IndexOf(state)]);

    /// <summary>The recorded time of the oldest event that a lane holds uncommitted; <see cref="long.MaxValue"/> for none.</summary>
    public void Holds(int lane, long recordedAt) => Volatile.Write(ref _oldest[lane], recordedAt);

    /// <summary>What waits.</summary>
    public void Backlog(long entries, long bytes)
    {
        Volatile.Write(ref _backlogEntries, entries);
        Volatile.Write(ref _backlogBytes, bytes);
    }

    /// <summary>Takes the rate since the last call.</summary>
    public void MeasureRate()
    {
        var archived = Archived;
        var elapsed = _time.GetElapsedTime(_rateAt).TotalSeconds;
        Volatile.Write(ref _rate, elapsed > 0 ? (archived - _rateArchived) / elapsed : 0);
        _rateArchived = archived;
        _rateAt = _time.GetTimestamp();
    }

    public void Dispose() => _meter.Dispose();

    private double OldestAge()
    {
        var oldest = long.MaxValue;
        for (var lane = 0; lane < _oldest.Length; lane++)
        {
            oldest = Math.Min(oldest, Volatile.Read(ref _oldest[lane]));
        }

        return oldest == long.MaxValue ? 0 : Math.Max(0, (_time.GetUtcNow().ToUnixTimeMilliseconds() - oldest) / 1000.0);
    }
}
