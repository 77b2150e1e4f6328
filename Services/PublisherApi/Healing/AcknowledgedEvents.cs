using System.Collections.Concurrent;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;
using Microsoft.Extensions.Options;

namespace AspireStreaming.PublisherApi.Healing;

/// <summary>
/// Keeps what was acknowledged until the archive has it, and gives it back to a Redis that has lost it. Bounded in bytes. Thread-safe.
/// </summary>
internal sealed class AcknowledgedEvents : IHealingSource
{
    /// <summary>Streams probed and staged at once.</summary>
    private const int Concurrency = 32;

    /// <summary>Most events that the archive is asked for in one question.</summary>
    private const int MaxAsked = 5_000;

    /// <summary>Share of the bound that stays for later when less is kept.</summary>
    private const int SpareShare = 8;

    private readonly RetainedPartition[] _partitions;
    private readonly HotLogHealing _healing;
    private readonly HotLogReader _reader;
    private readonly IArchiveLookup? _archive;
    private readonly HealingOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger<AcknowledgedEvents> _logger;
    private readonly Lock _evicting = new();
    private long _order;
    private long _bytes;
    private long _events;
    private long _evicted;
    private int _marks;

    public AcknowledgedEvents(
        HotLogHealing healing,
        HotLogReader reader,
        IOptions<HealingOptions> options,
        TimeProvider time,
        ILogger<AcknowledgedEvents> logger,
        IArchiveLookup? archive = null)
    {
        _healing = healing;
        _reader = reader;
        _archive = archive;
        _options = options.Value;
        var chunks = new RetainedChunks(_options.MaxRetainedBytes / SpareShare);
        _partitions = [.. Enumerable.Range(0, StreamName.PartitionCount).Select(_ => new RetainedPartition(chunks))];
        _time = time;
        _logger = logger;
    }

    /// <summary>Bytes kept.</summary>
    public long Bytes => Volatile.Read(ref _bytes);

    /// <summary>Events kept.</summary>
    public long Events => Volatile.Read(ref _events);

    /// <summary>Events dropped because of the bound.</summary>
    public long Evicted => Volatile.Read(ref _evicted);

    /// <summary>Partitions of which something is kept.</summary>
    public IEnumerable<int> Partitions => Enumerable.Range(0, _partitions.Length).Where(partition => !_partitions[partition].IsEmpty);

    /// <summary>Whether an event waits for the archive here.</summary>
    public bool Holds(string stream, StreamPosition position) => _partitions[StreamName.PartitionOf(stream)].Holds(stream, position);

    /// <summary>Keeps what an append was told. To be called before anybody else is told.</summary>
    /// <exception cref="Exception">Redis is away: of events that were there before, it cannot be told where they stand.</exception>
    public ValueTask KeepAsync(AppendRequest request, AppendResult result, CancellationToken cancellationToken)
    {
        if (result.Positions is { } positions)
        {
            return new ValueTask(KeepKnownAsync(request, positions, cancellationToken));
        }

        Keep(new Acknowledged(request.Stream, result.First, result.RecordedAt, result.Previous, request.Events, result.LogId));
        return ValueTask.CompletedTask;
    }

    /// <summary>Keeps a deletion.</summary>
    public void KeepDeletion(string stream, StreamPosition upTo, bool fromArchive, StreamPosition logId) =>
        Keep(new Acknowledged(stream, upTo, 0, null, [], logId, fromArchive ? RetainedDeletion.FromArchive : RetainedDeletion.FromHotLog));

    /// <inheritdoc/>
    public bool HasUnhealed(int partition, long epoch) => _partitions[partition].HasBefore(epoch);

    /// <inheritdoc/>
    public void Archived(int partition, StreamPosition watermark)
    {
        var released = _partitions[partition].Release(watermark);
        if (released.Bytes != 0)
        {
            Interlocked.Add(ref _bytes, -released.Bytes);
            Interlocked.Add(ref _events, -released.Events);
        }

        CountMarks();
    }

    /// <inheritdoc/>
    public void Confirm(int partition, long epoch, StreamPosition logEnd) => _partitions[partition].Confirm(epoch, logEnd);

    /// <inheritdoc/>
    public async Task<bool> StageAsync(int partition, PartitionEpoch epoch, CancellationToken cancellationToken)
    {
        var (items, marks) = _partitions[partition].Snapshot(epoch.Value);
        var streams = new Dictionary<string, HeldBuilder>(StringComparer.Ordinal);
        foreach (var item in items)
        {
            Of(item.Stream).Add(item);
        }

        foreach (var (stream, mark) in marks)
        {
            Of(stream).Add(mark);
        }

        var lost = new ConcurrentBag<HeldBuilder>();
        var stale = 0;
        var limits = new ParallelOptions { MaxDegreeOfParallelism = Concurrency, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(streams.Values, limits, async (held, token) =>
        {
            if (await _healing.ProbeAsync(held.Stream, epoch, held.Positions(), token) is not { } probed)
            {
                Volatile.Write(ref stale, 1);
            }
            else if (held.Keep(probed.Missing, probed.Last, probed.Deleted))
            {
                lost.Add(held);
            }
        });
        if (stale != 0)
        {
            return false;
        }

        if (!lost.IsEmpty)
        {
            var archived = await AskArchiveAsync([.. lost], cancellationToken);
            await Parallel.ForEachAsync(lost, limits, async (held, token) =>
            {
                if (!await _healing.StageAsync(epoch, held.Build(archived), token))
                {
                    Volatile.Write(ref stale, 1);
                }
            });
            HealingLog.Staged(_logger, partition, epoch.Value, lost.Sum(static held => held.Count), lost.Count);
        }

        return stale == 0;

        HeldBuilder Of(string stream)
        {
            if (!streams.TryGetValue(stream, out var held))
            {
                streams.Add(stream, held = new HeldBuilder(stream));
            }

            return held;
        }
    }

    /// <summary>Which of the lost events the archive has; takes those out. An archive that does not answer is taken to have none.</summary>
    private async Task<IReadOnlyDictionary<string, StreamPosition>> AskArchiveAsync(HeldBuilder[] lost, CancellationToken cancellationToken)
    {
        var last = new Dictionary<string, StreamPosition>(StringComparer.Ordinal);
        if (_archive is null)
        {
            return last;
        }

        using var limit = new CancellationTokenSource(_options.ArchiveTimeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        var asked = new List<(HeldBuilder Held, int Index)>();
        var keys = new List<EventKey>();
        try
        {
            foreach (var held in lost)
            {
                foreach (var (index, key) in held.Keys())
                {
                    asked.Add((held, index));
                    keys.Add(key);
                    if (keys.Count == MaxAsked)
                    {
                        await AskAsync();
                    }
                }
            }

            if (keys.Count > 0)
            {
                await AskAsync();
            }
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            HealingLog.ArchiveSilent(_logger, exception);
        }

        return last;

        async Task AskAsync()
        {
            var found = await _archive.FindAsync(keys, either.Token);
            foreach (var index in found.Archived)
            {
                asked[index].Held.TakeOut(asked[index].Index);
            }

            foreach (var (stream, position) in found.Last)
            {
                last[stream] = position;
            }

            asked.Clear();
            keys.Clear();
        }
    }

    /// <summary>
    /// Some of the events were there before: another process may have appended them and be gone. They are kept as if they were this
    /// one's, as far as the hot log still has them; what it has no more is archived.
    /// </summary>
    private async Task KeepKnownAsync(AppendRequest request, IReadOnlyList<StreamPosition> positions, CancellationToken cancellationToken)
    {
        var partition = StreamName.PartitionOf(request.Stream);
        var wanted = new Dictionary<StreamPosition, AppendEvent>();
        for (var index = 0; index < positions.Count; index++)
        {
            wanted.TryAdd(positions[index], request.Events[index]);
        }

        var found = new List<(StoredEvent Stored, AppendEvent Event)>();
        foreach (var (first, last) in Runs([.. wanted.Keys.Order()]))
        {
            var before = first with { Sequence = first.Sequence - 1 };
            var count = (int)(last.Sequence - first.Sequence + 1);
            foreach (var stored in await _reader.ReadAfterAsync(request.Stream, before, count, cancellationToken))
            {
                if (wanted.TryGetValue(stored.Position, out var item))
                {
                    found.Add((stored, item));
                }
            }
        }

        var archived = (await _reader.ReadMetaAsync(request.Stream, cancellationToken))?.Archived ?? StreamPosition.Zero;
        if (!found.Exists(item => item.Stored.Position > archived))
        {
            return;
        }

        // After the events: their entries are at or before it.
        var logEnd = await _reader.ReadArchiveLogEndAsync(partition, cancellationToken);
        foreach (var (stored, item) in found.Where(item => item.Stored.Position > archived))
        {
            // The frame as it is stored: one that was appended again says so.
            var same = item with { Frame = stored.Frame.Bytes.ToArray(), Flags = stored.Frame.Flags };
            Keep(new Acknowledged(request.Stream, stored.Position, stored.RecordedAt, stored.Previous, [same], logEnd));
        }
    }

    private static IEnumerable<(StreamPosition First, StreamPosition Last)> Runs(StreamPosition[] positions)
    {
        for (var start = 0; start < positions.Length;)
        {
            var end = start;
            while (end + 1 < positions.Length && positions[end + 1] == positions[end].Next)
            {
                end++;
            }

            yield return (positions[start], positions[end]);
            start = end + 1;
        }
    }

    private void Keep(in Acknowledged append)
    {
        var bytes = _partitions[StreamName.PartitionOf(append.Stream)].Add(append, Interlocked.Increment(ref _order));
        if (bytes == 0)
        {
            return;
        }

        Interlocked.Add(ref _events, append.Events.Count);
        if (Interlocked.Add(ref _bytes, bytes) > _options.MaxRetainedBytes)
        {
            Evict();
        }
    }

    /// <summary>
    /// Drops the oldest of all until there is some room: to find it among the partitions costs more than to drop it, so not each one
    /// that is kept pays for that.
    /// </summary>
    private void Evict()
    {
        if (!_evicting.TryEnter())
        {
            return;
        }

        try
        {
            var target = _options.MaxRetainedBytes - (_options.MaxRetainedBytes / 64);
            var oldest = new PriorityQueue<RetainedPartition, long>(_partitions.Length);
            foreach (var partition in _partitions)
            {
                oldest.Enqueue(partition, partition.OldestOrder);
            }

            while (Volatile.Read(ref _bytes) > target && oldest.TryDequeue(out var partition, out _))
            {
                if (partition.Evict(Volatile.Read(ref _marks) < _options.MaxMarkedStreams) is not { } evicted)
                {
                    continue;
                }

                if (evicted.Marked)
                {
                    Interlocked.Increment(ref _marks);
                }

                Interlocked.Add(ref _bytes, -evicted.Bytes);
                Interlocked.Add(ref _events, -evicted.Events);
                Interlocked.Add(ref _evicted, evicted.Events);
                oldest.Enqueue(partition, partition.OldestOrder);
            }
        }
        finally
        {
            _evicting.Exit();
        }
    }

    private void CountMarks()
    {
        if (Volatile.Read(ref _marks) > 0)
        {
            Volatile.Write(ref _marks, _partitions.Sum(static partition => partition.MarkCount));
        }
    }
}
