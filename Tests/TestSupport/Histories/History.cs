using System.Collections.Concurrent;

namespace AspireStreaming.TestSupport.Histories;

/// <summary>
/// What happened in one test: what publishers sent, what was acknowledged and where, what each subscriber was given. Thread-safe;
/// <see cref="HistoryChecker"/> judges it.
/// </summary>
public sealed class History
{
    private readonly ConcurrentDictionary<string, ConcurrentDictionary<string, AcknowledgedEvent>> _acknowledged = new();
    private readonly ConcurrentDictionary<(string Stream, string Id), byte> _sent = new();
    private readonly ConcurrentDictionary<(string Publisher, string Stream), LogPosition> _lastOfPublisher = new();
    private readonly ConcurrentQueue<Finding> _findings = new();
    private readonly ConcurrentQueue<SubscriberTrack> _tracks = new();

    /// <summary>How many events were acknowledged.</summary>
    public int AcknowledgedCount => _acknowledged.Values.Sum(events => events.Count);

    /// <summary>How many events all subscribers together were given.</summary>
    public int DeliveredCount => _tracks.Sum(track => track.Count);

    public IEnumerable<string> Streams => _acknowledged.Keys;

    public IEnumerable<SubscriberTrack> Tracks => _tracks;

    internal IEnumerable<Finding> Findings => _findings;

    /// <summary>Adds a subscriber.</summary>
    public SubscriberTrack Follow(string name, string stream, LogPosition start = default)
    {
        var track = new SubscriberTrack(name, stream, start);
        _tracks.Enqueue(track);
        return track;
    }

    /// <summary>A publisher is about to send these.</summary>
    public void Send(string stream, IEnumerable<string> ids)
    {
        foreach (var id in ids)
        {
            _sent.TryAdd((stream, id), 0);
        }
    }

    /// <summary>An atomic append was acknowledged: its events stand one behind the other from <paramref name="first"/> to <paramref name="last"/>.</summary>
    public void Acknowledge(string publisher, string stream, IReadOnlyList<string> ids, string first, string last)
    {
        var (lowest, highest) = (LogPosition.Parse(first), LogPosition.Parse(last));
        if (lowest.Epoch != highest.Epoch || highest.Sequence - lowest.Sequence + 1 != (ulong)ids.Count)
        {
            Report(FindingKind.WrongAnswer, stream, publisher, $"{ids.Count} events from {lowest} to {highest}");
            return;
        }

        if (_lastOfPublisher.TryGetValue((publisher, stream), out var before) && lowest <= before)
        {
            Report(FindingKind.Reordered, stream, publisher, $"acknowledged at {lowest} after {before} had been acknowledged");
        }

        _lastOfPublisher[(publisher, stream)] = highest;
        var events = _acknowledged.GetOrAdd(stream, _ => new());
        for (var index = 0; index < ids.Count; index++)
        {
            var item = new AcknowledgedEvent(ids[index], lowest with { Sequence = lowest.Sequence + (ulong)index });
            if (!events.TryAdd(item.Id, item))
            {
                Report(FindingKind.WrongAnswer, stream, publisher, $"{item.Id} was acknowledged twice as new");
            }
        }
    }

    /// <summary>Something was wrong that shows without a comparison.</summary>
    public void Report(FindingKind kind, string stream, string witness, string detail) =>
        _findings.Enqueue(new Finding(kind, stream, witness, detail));

    /// <summary>What was acknowledged in a stream.</summary>
    public IReadOnlyCollection<AcknowledgedEvent> AcknowledgedIn(string stream) =>
        _acknowledged.TryGetValue(stream, out var events) ? [.. events.Values] : [];

    /// <summary>Whether every subscriber has seen, or was told of, all that was acknowledged.</summary>
    public bool IsDelivered() => Missing() == 0;

    /// <summary>How many events subscribers still wait for, all together.</summary>
    public int Missing()
    {
        var missing = 0;
        foreach (var group in _tracks.GroupBy(track => track.Stream))
        {
            var acknowledged = AcknowledgedIn(group.Key);
            missing += group.Sum(track => track.CountMissing(acknowledged));
        }

        return missing;
    }

    internal bool WasSent(string stream, string id) => _sent.ContainsKey((stream, id));

    internal AcknowledgedEvent? Acknowledged(string stream, string id) =>
        _acknowledged.TryGetValue(stream, out var events) && events.TryGetValue(id, out var item) ? item : null;
}
