using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;

namespace AspireStreaming.PublisherApi.Tests.Healing;

/// <summary>
/// The archive and its archivers as a model: what is read from a log is committed later or never, and Redis is told later still or
/// never. Reading, committing and telling are steps of their own, between which anything may happen.
/// </summary>
internal sealed class ModelArchive : IArchiveLookup
{
    private readonly Dictionary<string, StreamPosition> _deleted = [];
    private readonly Dictionary<string, Dictionary<StreamPosition, StreamPosition>> _aliases = [];
    private readonly Dictionary<int, StreamPosition> _watermarks = [];
    private readonly Dictionary<int, ArchiveLogEntry[]> _read = [];
    private readonly Dictionary<int, ArchiveLogEntry[]> _committed = [];

    /// <summary>Whether it can be asked.</summary>
    public bool IsAway { get; set; }

    public Dictionary<string, SortedDictionary<StreamPosition, StoredEvent>> Events { get; } = [];

    public bool IsAlias(string stream, StreamPosition position) =>
        _aliases.TryGetValue(stream, out var aliases) && aliases.ContainsKey(position);

    public SortedDictionary<StreamPosition, StoredEvent> Of(string stream)
    {
        if (!Events.TryGetValue(stream, out var events))
        {
            Events.Add(stream, events = []);
        }

        return events;
    }

    public async Task ReadAsync(HealingPublisher redis, int partition)
    {
        if (!_read.ContainsKey(partition) && !_committed.ContainsKey(partition))
        {
            _read[partition] = await redis.Reader.ReadArchiveLogAsync(partition, StreamPosition.Zero, 1_000, TestContext.Current.CancellationToken);
        }
    }

    public void Commit(int partition)
    {
        if (!_read.Remove(partition, out var entries) || entries.Length == 0)
        {
            return;
        }

        foreach (var entry in entries)
        {
            switch (entry.Kind)
            {
                case ArchiveLogKind.Append:
                    foreach (var stored in entry.Batch.ReadEvents())
                    {
                        Store(entry.Stream, stored);
                    }

                    break;
                case ArchiveLogKind.Delete:
                    var events = Of(entry.Stream);
                    foreach (var position in events.Keys.Where(position => position <= entry.Batch.First).ToList())
                    {
                        events.Remove(position);
                    }

                    _deleted[entry.Stream] = _deleted.TryGetValue(entry.Stream, out var before) && before > entry.Batch.First ? before : entry.Batch.First;
                    break;
                default:
                    break;
            }
        }

        _watermarks[partition] = _watermarks.TryGetValue(partition, out var mark) && mark > entries[^1].Id ? mark : entries[^1].Id;
        _committed[partition] = entries;
    }

    public async Task TellAsync(HealingPublisher redis, int partition)
    {
        if (_committed.Remove(partition, out var entries))
        {
            var last = entries.Where(entry => entry.Kind == ArchiveLogKind.Append).GroupBy(entry => entry.Stream)
                .Select(group => KeyValuePair.Create(group.Key, group.Max(entry => entry.Batch.Last))).ToList();
            await redis.Trimmer.AfterCommitAsync(
                partition, entries[^1].Id, entries.Sum(entry => entry.CountedBytes), last, TestContext.Current.CancellationToken);
        }
    }

    /// <summary>Archivers die with what they hold in memory.</summary>
    public void Kill()
    {
        _read.Clear();
        _committed.Clear();
    }

    public Task<ArchiveKnowledge> LookUpAsync(string stream, IReadOnlyList<AppendEvent> events, CancellationToken cancellationToken)
    {
        ThrowIfAway();
        var archive = Of(stream);
        var known = events.Select((item, index) => (index, item, found: archive.FirstOrDefault(entry => HealingPublisher.IdOf(entry.Value) == item.Id)))
            .Where(entry => !entry.item.IdGenerated && !entry.found.Key.IsZero)
            .Select(entry => KeyValuePair.Create(entry.index, entry.found.Key)).ToList();
        var ended = archive.Count > 0 && archive.Values.Any(stored => stored.Frame.Flags.HasFlag(EventFlags.Terminal));
        return Task.FromResult(new ArchiveKnowledge(
            archive.Count == 0 ? StreamPosition.Zero : archive.Keys.Max(), ended ? "ended" : null, ended ? "STREAM_END" : null, known));
    }

    public Task<ArchivedEvents> FindAsync(IReadOnlyList<EventKey> events, CancellationToken cancellationToken)
    {
        ThrowIfAway();
        var archived = new HashSet<int>();
        for (var index = 0; index < events.Count; index++)
        {
            var (stream, position, _) = events[index];
            if (Of(stream).ContainsKey(position) || IsAlias(stream, position) || (_deleted.TryGetValue(stream, out var deleted) && position <= deleted))
            {
                archived.Add(index);
            }
        }

        var last = events.Select(item => item.Stream).Distinct().Where(stream => Of(stream).Count > 0)
            .ToDictionary(stream => stream, stream => Of(stream).Keys.Max());
        return Task.FromResult(new ArchivedEvents(archived, last));
    }

    public Task<StreamPosition> ReadWatermarkAsync(int partition, CancellationToken cancellationToken)
    {
        ThrowIfAway();
        return Task.FromResult(_watermarks.TryGetValue(partition, out var mark) ? mark : StreamPosition.Zero);
    }

    private void Store(string stream, StoredEvent stored)
    {
        if (_deleted.TryGetValue(stream, out var deleted) && stored.Position <= deleted)
        {
            return;
        }

        var events = Of(stream);
        if (stored.Frame.FirstPosition() is { } first)
        {
            if (!_aliases.TryGetValue(stream, out var aliases))
            {
                _aliases.Add(stream, aliases = []);
            }

            StreamPosition? at = events.ContainsKey(first) ? first : aliases.TryGetValue(first, out var elsewhere) ? elsewhere : null;
            if (at is { } found && found != stored.Position)
            {
                aliases.TryAdd(stored.Position, found);
                return;
            }

            aliases.TryAdd(first, stored.Position);
        }

        if (!events.TryAdd(stored.Position, stored))
        {
            Assert.Equal(HealingPublisher.IdOf(events[stored.Position]), HealingPublisher.IdOf(stored));
            Assert.Equal(events[stored.Position].RecordedAt, stored.RecordedAt);
        }
    }

    private void ThrowIfAway()
    {
        if (IsAway)
        {
            throw new TimeoutException("away");
        }
    }
}
