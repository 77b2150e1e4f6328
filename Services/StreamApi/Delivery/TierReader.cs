using AspireStreaming.Archive;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;
using Microsoft.Extensions.Options;

namespace AspireStreaming.StreamApi.Delivery;

/// <summary>
/// Reads what follows a cursor from the nearest slow tier that has it. The order of things: the hot log first; if it does not go
/// on exactly at the cursor, the archive; if neither does, the reader is told what is missing. Thread-safe.
/// </summary>
internal sealed class TierReader : IDisposable
{
    private const int MaxBatch = 256;
    private const int FirstBatch = 64;
    private const int MaxDead = 1_000;
    private const long TargetBytes = 1 << 20;
    private static readonly TimeSpan BorderPoll = TimeSpan.FromMilliseconds(100);

    private readonly HotLogReader _log;
    private readonly IArchiveTier _archive;
    private readonly RedisGate _gate;
    private readonly TimeProvider _time;
    private readonly PartitionFence? _fence;
    private readonly TimeSpan _borderPatience;
    private readonly SemaphoreSlim _slots;

    public TierReader(
        HotLogReader log, IArchiveTier archive, RedisGate gate, IOptions<DeliveryOptions> options, TimeProvider time, PartitionFence? fence = null)
    {
        _fence = fence;
        _log = log;
        _archive = archive;
        _gate = gate;
        _time = time;
        _borderPatience = options.Value.BorderPatience;
        _slots = new SemaphoreSlim(options.Value.MaxConcurrentReads);
    }

    public void Dispose() => _slots.Dispose();

    /// <summary>A batch size that aims at 1 MiB, from what events of the stream weighed so far.</summary>
    public static int BatchSize(long averageEventBytes) =>
        averageEventBytes == 0 ? FirstBatch : (int)Math.Clamp(TargetBytes / averageEventBytes, 1, MaxBatch);

    /// <summary>Reads up to <paramref name="count"/> events after a cursor.</summary>
    /// <param name="stream">A valid stream name.</param>
    /// <param name="cursor">What the reader has had.</param>
    /// <param name="tiers">The tiers to read.</param>
    /// <param name="windowFirst">The oldest event of the stream's window, which counts like one in the log.</param>
    /// <param name="count">Most events.</param>
    /// <param name="cancellationToken">Ends the read.</param>
    /// <exception cref="Exception">Redis or the archive is away.</exception>
    public async Task<TierRead> ReadAsync(
        string stream, StreamPosition cursor, TierSet tiers, EncodedEvent? windowFirst, int count, CancellationToken cancellationToken)
    {
        await _slots.WaitAsync(cancellationToken);
        try
        {
            var rechecked = false;
            while (true)
            {
                var (found, source) = await FindAsync(stream, cursor, tiers, count, cancellationToken);
                if (windowFirst is not null && windowFirst.Position > cursor && (found.Length == 0 || windowFirst.Position < found[0].Position))
                {
                    // The log lost what the window still has.
                    found = [windowFirst];
                    source = Tier.Window;
                }

                if (found.Length > 0)
                {
                    return await DescribeAsync(stream, cursor, found, source, tiers, count, cancellationToken);
                }

                var tail = await ReadTailAsync(stream, tiers, cancellationToken);
                if (tail.Last <= cursor || tail.Deleted)
                {
                    return new TierRead(source, null, [], cursor, tail);
                }

                if (rechecked && tiers.HasFlag(TierSet.Archive) && await ReadElsewhereAsync(stream, cursor, tail.Last, tiers, null, cancellationToken) is { } moved)
                {
                    return moved with { Tail = moved.Events.Length == 0 && moved.Cursor == tail.Last ? tail : null };
                }

                if (rechecked)
                {
                    var reason = await ReasonAsync(stream, cursor, tail.Last, tiers, cancellationToken);
                    return new TierRead(source, new Discontinuity(Gap.Between(cursor, tail.Last, reason), null), [], tail.Last, tail);
                }

                // An event may have come between the two questions.
                rechecked = true;
            }
        }
        finally
        {
            _slots.Release();
        }
    }

    /// <summary>Up to <paramref name="count"/> events before a position, newest first, from the log and then the archive.</summary>
    /// <inheritdoc cref="ReadAsync" path="/exception"/>
    public async Task<EncodedEvent[]> ReadBeforeAsync(
        string stream, StreamPosition? before, TierSet tiers, int count, CancellationToken cancellationToken)
    {
        if (before is { IsZero: true })
        {
            // Nothing is before the beginning, and Redis refuses to be asked for it.
            return [];
        }

        await _slots.WaitAsync(cancellationToken);
        try
        {
            StoredEvent[] found = [];
            if (tiers.HasFlag(TierSet.Log))
            {
                found = await _log.ReadBeforeAsync(stream, before, count, cancellationToken);
                _gate.Succeeded();
            }

            if (found.Length < count && tiers.HasFlag(TierSet.Archive))
            {
                var rest = await _archive.ReadBeforeAsync(
                    stream, found.Length > 0 ? found[^1].Position : before, count - found.Length, cancellationToken);
                found = [.. found, .. rest];
            }

            return EncodedEvent.Encode(stream, found);
        }
        finally
        {
            _slots.Release();
        }
    }

    /// <summary>Where the stream ends.</summary>
    /// <inheritdoc cref="ReadAsync" path="/exception"/>
    public async Task<StreamTail> ReadTailAsync(string stream, TierSet tiers, CancellationToken cancellationToken)
    {
        StreamMeta? meta = null;
        if (tiers.HasFlag(TierSet.Log))
        {
            meta = await _log.ReadMetaAsync(stream, cancellationToken);
            _gate.Succeeded();
        }

        if (!tiers.HasFlag(TierSet.Archive))
        {
            return Tail(meta);
        }

        if (meta is { Deleted: false })
        {
            return await MayHaveLostItsEndAsync(stream, meta, cancellationToken) ? await ReadLaterTailAsync(stream, meta, cancellationToken) : Tail(meta);
        }

        var archived = await _archive.ReadStreamAsync(stream, cancellationToken);
        return archived is null || archived.Last < (meta?.Last ?? StreamPosition.Zero)
            ? Tail(meta)
            : new StreamTail(archived.Last, archived.EndType is null ? null : new StreamEnd(archived.EndType, archived.Last), meta?.Deleted ?? false);
    }

    /// <summary>The position just before the first event recorded at or after a time; the tail if all are older.</summary>
    /// <inheritdoc cref="ReadAsync" path="/exception"/>
    public async Task<StreamPosition> FindByTimeAsync(string stream, DateTimeOffset from, TierSet tiers, CancellationToken cancellationToken)
    {
        var hot = tiers.HasFlag(TierSet.Log) ? await FindInLogAsync(stream, from.ToUnixTimeMilliseconds(), cancellationToken) : null;
        if (hot is { OlderExists: true })
        {
            return hot.Value.Position;
        }

        if (tiers.HasFlag(TierSet.Archive) && await _archive.FindByTimeAsync(stream, from, cancellationToken) is { } cold)
        {
            return cold;
        }

        return hot?.Position ?? (await ReadTailAsync(stream, tiers, cancellationToken)).Last;
    }

    /// <summary>
    /// Before an epoch border is crossed: waits until the archive has all of the epoch before, and reads what it has
    /// between.
    /// </summary>
    /// <returns>The events between, and whether the archive has told all it will ever know.</returns>
    public async Task<(EncodedEvent[] Between, bool Verified)> ResolveBorderAsync(
        string stream, StreamPosition cursor, StreamPosition border, CancellationToken cancellationToken)
    {
        if (!_archive.IsConfigured)
        {
            return ([], true);
        }

        var partition = StreamName.PartitionOf(stream);
        var start = _time.GetTimestamp();
        while (true)
        {
            try
            {
                // The watermark first: once it has passed the marker of the raise, the read after it sees everything.
                var raised = await _log.ReadArchiveLogEndAsync(partition, cancellationToken);
                var watermark = await _archive.ReadWatermarkAsync(partition, cancellationToken);
                var after = await _archive.ReadAfterAsync(stream, cursor, MaxBatch, cancellationToken);
                var between = after.TakeWhile(item => item.Position < border).ToArray();
                var verified = watermark.Epoch >= raised.Epoch;
                if (between.Length > 0 || verified || _time.GetElapsedTime(start) >= _borderPatience)
                {
                    return (EncodedEvent.Encode(stream, between), verified);
                }
            }
            catch (ArchiveUnavailableException) when (_time.GetElapsedTime(start) >= _borderPatience)
            {
                return ([], false);
            }
            catch (ArchiveUnavailableException)
            {
                // Perhaps back within the patience.
            }

            await Task.Delay(BorderPoll, _time, cancellationToken);
        }
    }

    /// <summary>
    /// Whether the partition's epoch was raised since the last append to the stream: then the hot log may have lost what the archive has,
    /// and until the next append nothing there tells.
    /// </summary>
    private async Task<bool> MayHaveLostItsEndAsync(string stream, StreamMeta meta, CancellationToken cancellationToken)
    {
        if (_fence is null || !_archive.IsConfigured)
        {
            return false;
        }

        var partition = StreamName.PartitionOf(stream);
        if (_fence.HighestSeen(partition) == 0)
        {
            await _fence.CheckAsync(partition, cancellationToken);
        }

        return meta.PartitionEpoch < _fence.HighestSeen(partition);
    }

    private async Task<StreamTail> ReadLaterTailAsync(string stream, StreamMeta meta, CancellationToken cancellationToken)
    {
        try
        {
            var archived = await _archive.ReadStreamAsync(stream, cancellationToken);
            return archived is null || archived.Last <= meta.Last
                ? Tail(meta)
                : new StreamTail(archived.Last, archived.EndType is null ? null : new StreamEnd(archived.EndType, archived.Last), false, IsArchived: true);
        }
        catch (ArchiveUnavailableException)
        {
            return Tail(meta);
        }
    }

    private static StreamTail Tail(StreamMeta? meta) => meta is null
        ? new StreamTail(StreamPosition.Zero, null, false)
        : new StreamTail(meta.Last, meta is { Deleted: false, EndType: { } type } ? new StreamEnd(type, meta.Last) : null, meta.Deleted);

    private static EncodedEvent[] CutAtHole(EncodedEvent[] events)
    {
        for (var index = 1; index < events.Length; index++)
        {
            if (Continuity.Judge(events[index - 1].Position, events[index]) != Link.Adjacent)
            {
                return events[..index];
            }
        }

        return events;
    }

    /// <summary>The events after a cursor from the tier that goes on with the earliest.</summary>
    private async Task<(EncodedEvent[] Events, Tier Source)> FindAsync(
        string stream, StreamPosition cursor, TierSet tiers, int count, CancellationToken cancellationToken)
    {
        StoredEvent[] hot = [];
        if (tiers.HasFlag(TierSet.Log))
        {
            hot = await _log.ReadAfterAsync(stream, cursor, count, cancellationToken);
            _gate.Succeeded();
            if (hot.Length > 0 && !cursor.IsZero && Continuity.Judge(cursor, hot[0].Position, hot[0].Previous) == Link.Adjacent)
            {
                return (EncodedEvent.Encode(stream, hot), Tier.Log);
            }
        }

        if (!tiers.HasFlag(TierSet.Archive) || !_archive.IsConfigured)
        {
            return (EncodedEvent.Encode(stream, hot), Tier.Log);
        }

        StoredEvent[] cold;
        try
        {
            cold = await _archive.ReadAfterAsync(stream, cursor, count, cancellationToken);
        }
        catch (ArchiveUnavailableException) when (
            cursor.IsZero && hot.Length > 0 && Continuity.Judge(cursor, hot[0].Position, hot[0].Previous) == Link.Adjacent)
        {
            // The hot log has the stream's first event. That the archive has an older life of the same name is not worth the wait.
            return (EncodedEvent.Encode(stream, hot), Tier.Log);
        }
        catch (ArchiveUnavailableException) when (
            hot.Length > 0 && !cursor.IsZero && Continuity.Judge(cursor, hot[0].Position, hot[0].Previous).IsBorder())
        {
            // A border has a patience of its own.
            return (EncodedEvent.Encode(stream, hot), Tier.Log);
        }

        if (hot.Length == 0)
        {
            return (EncodedEvent.Encode(stream, cold), Tier.Archive);
        }

        var older = cold.TakeWhile(item => item.Position < hot[0].Position).ToArray();
        return older.Length > 0 ? (EncodedEvent.Encode(stream, older), Tier.Archive) : (EncodedEvent.Encode(stream, hot), Tier.Log);
    }

    private async Task<TierRead> DescribeAsync(
        string stream, StreamPosition cursor, EncodedEvent[] found, Tier source, TierSet tiers, int count, CancellationToken cancellationToken)
    {
        var link = Continuity.Judge(cursor, found[0]);
        var verified = true;
        if (link.IsBorder() && tiers.HasFlag(TierSet.Archive))
        {
            (var between, verified) = await ResolveBorderAsync(stream, cursor, found[0].Position, cancellationToken);
            if (between.Length > 0)
            {
                found = between;
                source = Tier.Archive;
                link = Continuity.Judge(cursor, found[0]);
            }
        }

        if (link == Link.Hole && tiers.HasFlag(TierSet.Archive)
            && await ReadElsewhereAsync(stream, cursor, Continuity.Before(found[0]), tiers, found[0].RecordedAt, cancellationToken) is { } moved)
        {
            return moved;
        }

        var reason = link == Link.Hole ? await ReasonAsync(stream, cursor, Continuity.Before(found[0]), tiers, cancellationToken) : GapReasons.Epoch;
        var events = CutAtHole(found.Length > count ? found[..count] : found);
        return new TierRead(source, Continuity.Describe(cursor, events[0], reason, verified), events, events[^1].Position, null);
    }

    /// <summary>Whether all that is missing between two positions is stored at others.</summary>
    /// <inheritdoc cref="ReadAsync" path="/exception"/>
    public async Task<bool> AreMovedAsync(string stream, StreamPosition after, StreamPosition upTo, CancellationToken cancellationToken) =>
        await ReadAllMovedAsync(stream, after, upTo, cancellationToken) is not null;

    /// <summary>What is missing between two positions, oldest first; null unless all of it is stored at others.</summary>
    private async Task<MovedEvent[]?> ReadAllMovedAsync(string stream, StreamPosition after, StreamPosition upTo, CancellationToken cancellationToken)
    {
        if (after.Epoch != upTo.Epoch || upTo.Sequence - after.Sequence is not (> 0 and <= MaxDead))
        {
            return null;
        }

        var moved = await _archive.ReadMovedAsync(stream, after, upTo, MaxDead, cancellationToken);
        return moved.Length == upTo.Sequence - after.Sequence ? moved : null;
    }

    /// <summary>
    /// What a reader gets where all that is missing up to a position is stored at others, because it was appended again after a fault:
    /// what is stored later comes in its first place, what is stored before is passed over, because the reader has had it.
    /// </summary>
    /// <param name="stream">The stream.</param>
    /// <param name="cursor">What the reader has had.</param>
    /// <param name="upTo">The last missing position.</param>
    /// <param name="tiers">The tiers to read. One alone is read as it is: nothing is put in another place.</param>
    /// <param name="recordedBefore">When what follows was recorded: recorded times never fall.</param>
    /// <param name="cancellationToken">Ends the read.</param>
    private async Task<TierRead?> ReadElsewhereAsync(
        string stream, StreamPosition cursor, StreamPosition upTo, TierSet tiers, long? recordedBefore, CancellationToken cancellationToken)
    {
        if (await ReadAllMovedAsync(stream, cursor, upTo, cancellationToken) is not { } moved
            || Array.Exists(moved, static item => item.At > item.Position && item.Event is null))
        {
            return null;
        }

        var had = tiers == TierSet.All ? moved.TakeWhile(static item => item.At < item.Position).Count() : moved.Length;
        if (had > 0)
        {
            var to = moved[had - 1].Position;
            return new TierRead(Tier.Archive, new Discontinuity(null, null, new Passage(cursor, to)), [], to, null);
        }

        EncodedEvent[] events =
        [
            .. moved.TakeWhile(static item => item.At > item.Position).Select(item => EncodedEvent.Encode(
                stream,
                item.Event!.Value with
                {
                    Position = item.Position,
                    Previous = null,
                    RecordedAt = Math.Min(item.Event.Value.RecordedAt, recordedBefore ?? long.MaxValue),
                })),
        ];
        return new TierRead(Tier.Archive, null, events, events[^1].Position, null);
    }

    /// <summary>Why nothing follows a cursor up to a position: it is older than everything kept, or there is a hole.</summary>
    /// <inheritdoc cref="ReadAsync" path="/exception"/>
    public async Task<string> ReasonAsync(
        string stream, StreamPosition cursor, StreamPosition upTo, TierSet tiers, CancellationToken cancellationToken)
    {
        if (cursor.IsZero)
        {
            return GapReasons.Trimmed;
        }

        if (tiers.HasFlag(TierSet.Archive) && cursor.Epoch == upTo.Epoch && upTo.Sequence - cursor.Sequence is var missing and <= MaxDead
            && await _archive.CountDeadAsync(stream, cursor, upTo, MaxDead, cancellationToken) == missing)
        {
            return GapReasons.Dead;
        }

        var before = cursor.Next;
        var kept = tiers.HasFlag(TierSet.Log) && (await _log.ReadBeforeAsync(stream, before, 1, cancellationToken)).Length > 0;
        kept = kept || (tiers.HasFlag(TierSet.Archive) && (await _archive.ReadBeforeAsync(stream, before, 1, cancellationToken)).Length > 0);
        return kept ? GapReasons.Unknown : GapReasons.Trimmed;
    }

    /// <summary>Binary search by recorded time, which never falls within a stream.</summary>
    private async Task<(StreamPosition Position, bool OlderExists)?> FindInLogAsync(string stream, long from, CancellationToken cancellationToken)
    {
        var oldest = await _log.ReadAfterAsync(stream, StreamPosition.Zero, 1, cancellationToken);
        if (oldest.Length == 0)
        {
            return null;
        }

        if (oldest[0].RecordedAt >= from)
        {
            var first = oldest[0];
            return (first.Position is { Sequence: 1 } && first.Previous is null
                ? StreamPosition.Zero
                : first.Previous ?? first.Position with { Sequence = first.Position.Sequence - 1 }, false);
        }

        // Invariant: the event at low is older than the time; everything after high is not, or high is the last.
        var low = oldest[0];
        var high = (await _log.ReadBeforeAsync(stream, null, 1, cancellationToken)) is [var newest] ? newest : low;
        if (high.RecordedAt < from)
        {
            return (high.Position, true);
        }

        while (true)
        {
            var middle = low.Position.Epoch == high.Position.Epoch
                ? low.Position with { Sequence = low.Position.Sequence + ((high.Position.Sequence - low.Position.Sequence) / 2) }
                : new StreamPosition(low.Position.Epoch + ((high.Position.Epoch - low.Position.Epoch) / 2), 0);
            middle = middle < low.Position ? low.Position : middle;
            var after = await _log.ReadAfterAsync(stream, middle, 1, cancellationToken);
            if (after.Length == 0 || after[0].Position >= high.Position)
            {
                // Nothing lies between the middle and high; look below the middle.
                var below = await _log.ReadBeforeAsync(stream, high.Position, 1, cancellationToken);
                if (below.Length == 0 || below[0].Position <= low.Position)
                {
                    return (low.Position, true);
                }

                if (below[0].RecordedAt < from)
                {
                    return (below[0].Position, true);
                }

                high = below[0];
            }
            else if (after[0].RecordedAt < from)
            {
                low = after[0];
            }
            else
            {
                high = after[0];
            }
        }
    }
}
