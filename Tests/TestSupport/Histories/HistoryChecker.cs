using System.Text.Json;

namespace AspireStreaming.TestSupport.Histories;

/// <summary>
/// The one judgement over a <see cref="History"/> and the archive: <i>an acknowledged event is delivered, in order, or its absence is
/// announced; never silently lost, never duplicated into the archive.</i>
/// </summary>
public sealed class HistoryChecker
{
    private readonly History _history;
    private readonly IReadOnlyCollection<ArchivedRow>? _archive;
    private readonly Dictionary<(string Stream, LogPosition Position), string> _idAt = [];
    private readonly List<Finding> _findings;

    private HistoryChecker(History history, IReadOnlyCollection<ArchivedRow>? archive)
    {
        _history = history;
        _archive = archive;
        _findings = [.. history.Findings];
    }

    /// <summary>Judges.</summary>
    /// <param name="history">What happened.</param>
    /// <param name="archive">The archive's rows of the history's streams at its end; null leaves the archive out.</param>
    public static HistoryReport Check(History history, IReadOnlyCollection<ArchivedRow>? archive = null)
    {
        var checker = new HistoryChecker(history, archive);
        foreach (var stream in history.Streams)
        {
            foreach (var item in history.AcknowledgedIn(stream))
            {
                checker.Place(stream, item.Position, item.Id, "acknowledgements");
            }
        }

        foreach (var track in history.Tracks)
        {
            checker.CheckTrack(track);
        }

        checker.CheckArchive();
        return new HistoryReport(history.AcknowledgedCount, history.DeliveredCount, archive?.Count ?? 0, checker._findings);
    }

    private void CheckTrack(SubscriberTrack track)
    {
        var cursor = track.Start;
        var provenFrom = (LogPosition?)null;
        var recorded = (DateTimeOffset?)null;
        var seen = new Dictionary<string, LogPosition>();

        // The highest position from which it was told to go on into another epoch without proof, and that when it last came back.
        var unproven = LogPosition.Zero;
        var unprovenAtResume = LogPosition.Zero;
        foreach (var item in track.Snapshot())
        {
            if (item.Control is not null)
            {
                if (item.Control == SubscriberTrack.ResumeName)
                {
                    unprovenAtResume = unproven;
                }
                else if (item.Control is "stream.epoch" or "stream.gap")
                {
                    using var json = JsonDocument.Parse(item.Json!);
                    var root = json.RootElement;
                    var isProven = item.Control == "stream.epoch" && SubscriberTrack.IsProven(root);
                    provenFrom = item.Control == "stream.gap" ? provenFrom : isProven ? LogPosition.Read(root, "previous") : null;
                    if (!isProven && (item.Control == "stream.epoch" || root.GetProperty("reason").GetString() == "epoch")
                        && LogPosition.Read(root, item.Control == "stream.epoch" ? "previous" : "from") is { } from && from > unproven)
                    {
                        unproven = from;
                    }
                }

                continue;
            }

            CheckEvent(track, item, seen, unprovenAtResume);
            CheckStep(track, cursor, item.Position, provenFrom);
            if (item.Recorded < recorded)
            {
                Add(FindingKind.TimeFell, track.Stream, track.Name, $"{item.Recorded:O} at {item.Position} after {recorded:O}");
            }

            recorded = item.Recorded ?? recorded;
            cursor = item.Position;
            provenFrom = null;
        }

        foreach (var item in _history.AcknowledgedIn(track.Stream))
        {
            if (track.IsOwed(item.Position) && !seen.ContainsKey(item.Id))
            {
                var kind = track.IsAnnounced(item.Position) ? FindingKind.AnnouncedMissing : FindingKind.Lost;
                Add(kind, track.Stream, track.Name, $"{item.Id} at {item.Position}");
            }
        }
    }

    private void CheckEvent(SubscriberTrack track, SubscriberTrack.Observation item, Dictionary<string, LogPosition> seen, LogPosition unproven)
    {
        var id = item.Id!;
        var acknowledged = _history.Acknowledged(track.Stream, id);
        if (!seen.TryAdd(id, item.Position))
        {
            var first = seen[id];
            var orphan = first.Epoch < item.Position.Epoch && acknowledged?.Position == item.Position;
            var isTold = item.FirstPosition == first && first <= unproven && first < item.Position;
            Add(
                orphan ? FindingKind.SeenBeforeAcknowledged : isTold ? FindingKind.RepeatedAsTold : FindingKind.Duplicated,
                track.Stream, track.Name, $"{id} at {first} and {item.Position}");
            return;
        }

        if (acknowledged is null && !_history.WasSent(track.Stream, id))
        {
            Add(FindingKind.Phantom, track.Stream, track.Name, $"{id} at {item.Position}");
        }

        if (item.FirstPosition is null)
        {
            Place(track.Stream, item.Position, id, track.Name);
        }

        // An event seen before its acknowledgement may be acknowledged elsewhere later, and then comes there again.
        if (acknowledged is not null && acknowledged.Position != item.Position && acknowledged.Position != item.FirstPosition
            && acknowledged.Position.Epoch <= item.Position.Epoch)
        {
            Add(FindingKind.Moved, track.Stream, track.Name, $"{id} acknowledged at {acknowledged.Position}, delivered at {item.Position}");
        }
    }

    private void CheckStep(SubscriberTrack track, LogPosition cursor, LogPosition position, LogPosition? provenFrom)
    {
        if (position <= cursor)
        {
            Add(FindingKind.Reordered, track.Stream, track.Name, $"{position} after {cursor}");
            return;
        }

        var isNext = position.Epoch == cursor.Epoch
            ? position.Sequence == cursor.Sequence + 1
            : cursor == LogPosition.Zero && position.Sequence == 1;
        if (!isNext && !track.IsExplained(cursor, position, provenFrom))
        {
            Add(FindingKind.UnannouncedGap, track.Stream, track.Name, $"{position} after {cursor}");
        }
    }

    private void CheckArchive()
    {
        if (_archive is null)
        {
            return;
        }

        var places = new Dictionary<(string Stream, string Id), LogPosition>();
        foreach (var row in _archive)
        {
            Place(row.Stream, row.Position, row.Id, "archive");
            if (!places.TryAdd((row.Stream, row.Id), row.Position))
            {
                Add(FindingKind.ArchiveDuplicated, row.Stream, "archive", $"{row.Id} at {places[(row.Stream, row.Id)]} and {row.Position}");
            }
        }

        foreach (var stream in _history.Streams)
        {
            foreach (var item in _history.AcknowledgedIn(stream))
            {
                if (!places.TryGetValue((stream, item.Id), out var position))
                {
                    Add(FindingKind.ArchiveLost, stream, "archive", $"{item.Id} at {item.Position}");
                }
            }
        }
    }

    /// <summary>A position belongs to one event for ever, whoever shows it.</summary>
    private void Place(string stream, LogPosition position, string id, string witness)
    {
        if (!_idAt.TryAdd((stream, position), id) && _idAt[(stream, position)] is var other && other != id)
        {
            Add(FindingKind.PositionReused, stream, witness, $"{position} is {id} and {other}");
        }
    }

    private void Add(FindingKind kind, string stream, string witness, string detail) => _findings.Add(new Finding(kind, stream, witness, detail));
}
