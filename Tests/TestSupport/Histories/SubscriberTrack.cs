using System.Globalization;
using System.Text.Json;

namespace AspireStreaming.TestSupport.Histories;

/// <summary>Everything that one subscriber of one stream was given, in the order in which it came. Thread-safe.</summary>
public sealed class SubscriberTrack
{
    private readonly Lock _lock = new();
    private readonly List<Observation> _observations = [];
    private readonly HashSet<string> _ids = [];
    private readonly List<(LogPosition From, LogPosition To)> _announced = [];
    private readonly List<(LogPosition From, LogPosition To)> _passed = [];
    private int _events;

    internal SubscriberTrack(string name, string stream, LogPosition start)
    {
        Name = name;
        Stream = stream;
        Start = start;
        Last = start;
    }

    public string Name { get; }

    public string Stream { get; }

    /// <summary>The position after which it began.</summary>
    public LogPosition Start { get; }

    /// <summary>How many events came.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _events;
            }
        }
    }

    /// <summary>The last event's position: where to resume.</summary>
    public LogPosition Last { get; private set; }

    /// <summary>Whether the subscriber has ended: it is owed nothing behind its last event.</summary>
    public bool IsClosed { get; private set; }

    /// <summary>The subscriber ends.</summary>
    public void Close() => IsClosed = true;

    /// <summary>An event came.</summary>
    /// <param name="position">At this position.</param>
    /// <param name="id">Its id.</param>
    /// <param name="firstPosition">The extension of an event that was put back late, at another position.</param>
    /// <param name="recordedTime">When the log took it; null where the test does not care.</param>
    public void Event(string position, string id, string? firstPosition = null, string? recordedTime = null)
    {
        var at = LogPosition.Parse(position);
        lock (_lock)
        {
            _observations.Add(new Observation(at, id, firstPosition is null ? null : LogPosition.Parse(firstPosition), null, null)
            {
                Recorded = recordedTime is null ? null : DateTimeOffset.Parse(recordedTime, CultureInfo.InvariantCulture),
            });
            _ids.Add(id);
            _events++;
            Last = at;
        }
    }

    /// <summary>It comes back: all that the other side knows of it from now on is its position.</summary>
    public void Resume()
    {
        lock (_lock)
        {
            _observations.Add(new Observation(Last, null, null, ResumeName, null));
        }
    }

    /// <summary>
    /// It was told that there is nothing for it up to a position: an <c>id</c>-only frame. That explains a hole, and excuses no event's
    /// absence.
    /// </summary>
    public void Told(string position)
    {
        var at = LogPosition.Parse(position);
        lock (_lock)
        {
            if (at > Last)
            {
                _passed.Add((Last, at));
            }
        }
    }

    /// <summary>A control event came.</summary>
    public void Control(string control, string json)
    {
        using var document = JsonDocument.Parse(json);
        var root = document.RootElement;
        lock (_lock)
        {
            _observations.Add(new Observation(Last, null, null, control, json));
            switch (control)
            {
                case "stream.gap" or "stream.dropped":
                    _announced.Add((LogPosition.Read(root, "from") ?? Last, LogPosition.Read(root, "to") ?? new LogPosition(ulong.MaxValue, ulong.MaxValue)));
                    break;
                case "stream.passed":
                    _passed.Add((LogPosition.Read(root, "from")!.Value, LogPosition.Read(root, "to")!.Value));
                    break;
                case "stream.epoch" when !IsProven(root):
                    _announced.Add((LogPosition.Read(root, "previous") ?? Last, Before(LogPosition.Read(root, "current"))));
                    break;
            }
        }
    }

    /// <summary>How many of these events it neither saw nor was told to be missing.</summary>
    public int CountMissing(IReadOnlyCollection<AcknowledgedEvent> events)
    {
        lock (_lock)
        {
            return events.Count(item => IsOwed(item.Position) && !_ids.Contains(item.Id) && !IsAnnounced(item.Position));
        }
    }

    public bool HasSeen(string id)
    {
        lock (_lock)
        {
            return _ids.Contains(id);
        }
    }

    /// <summary>The controls that came, for a report.</summary>
    public IReadOnlyList<string> Controls()
    {
        lock (_lock)
        {
            return [.. _observations.Where(item => item.Control is not null).Select(item => $"{item.Control} {item.Json}")];
        }
    }

    internal bool IsOwed(LogPosition position) => position > Start && (!IsClosed || position <= Last);

    internal Observation[] Snapshot()
    {
        lock (_lock)
        {
            return [.. _observations];
        }
    }

    internal bool IsAnnounced(LogPosition position)
    {
        foreach (var (from, to) in _announced)
        {
            if (position > from && position <= to)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Whether every position after one and before another was announced to be missing, or to have nothing for it.</summary>
    /// <param name="after">The one.</param>
    /// <param name="before">The other.</param>
    /// <param name="provenFrom">After which position the other is said to follow without a loss.</param>
    internal bool IsExplained(LogPosition after, LogPosition before, LogPosition? provenFrom)
    {
        while (true)
        {
            if (provenFrom == after || (after.Epoch == before.Epoch && after.Sequence + 1 >= before.Sequence) || after >= Before(before))
            {
                return true;
            }

            var next = _announced.Concat(_passed).Where(range => range.From <= after && range.To > after)
                .Select(range => range.To).DefaultIfEmpty(after).Max();
            if (next == after)
            {
                return false;
            }

            after = next;
        }
    }

    internal const string ResumeName = "resume";

    internal static bool IsProven(JsonElement epoch) =>
        epoch.TryGetProperty("missed", out var missed) && missed.ValueKind == JsonValueKind.Number && missed.GetInt64() == 0;

    private static LogPosition Before(LogPosition? position) => position switch
    {
        null => new LogPosition(ulong.MaxValue, ulong.MaxValue),
        { Sequence: > 0 } known => known with { Sequence = known.Sequence - 1 },
        { Epoch: > 0 } known => new LogPosition(known.Epoch - 1, ulong.MaxValue),
        _ => LogPosition.Zero,
    };

    /// <param name="Position">The event's position; for a control event that of the event before it.</param>
    /// <param name="Id">The event's id; null for a control event.</param>
    /// <param name="FirstPosition">Where the event first was.</param>
    /// <param name="Control">The control event's name.</param>
    /// <param name="Json">Its data.</param>
    internal sealed record Observation(LogPosition Position, string? Id, LogPosition? FirstPosition, string? Control, string? Json)
    {
        /// <summary>When the log took the event.</summary>
        public DateTimeOffset? Recorded { get; init; }
    }
}
