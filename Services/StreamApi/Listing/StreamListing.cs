using System.Buffers.Text;
using System.Globalization;
using System.Text;
using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireStreaming.StreamApi.Listing;

/// <summary>Lists streams: those of the hot log's index and those that only the archive still has.</summary>
internal sealed class StreamListing(
    IConnectionMultiplexer redis,
    HotLogReader log,
    IArchiveTier archive,
    FeedRegistry feeds,
    IOptions<HotLogOptions> hotLogOptions,
    TimeProvider time)
{
    private const int ConcurrentDescriptions = 16;

    /// <summary>How many pages of streams are looked through for one page of those that the caller may see.</summary>
    private const int MaxPages = 20;

    private readonly TimeSpan _timeout = hotLogOptions.Value.CommandTimeout;

    /// <summary>Where a page of the listing begins: after the stream of this name with this last activity.</summary>
    public readonly record struct Cursor(long At, string Name)
    {
        /// <summary>The opaque form that clients get.</summary>
        public override string ToString() =>
            Base64Url.EncodeToString(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"1 {At} {Name}")));

        /// <summary>Parses what <see cref="ToString"/> made.</summary>
        public static bool TryParse(string text, out Cursor cursor)
        {
            cursor = default;
            Span<byte> bytes = stackalloc byte[256];
            if (text.Length > 300 || !Base64Url.IsValid(text) || !Base64Url.TryDecodeFromChars(text, bytes, out var length))
            {
                return false;
            }

            var parts = Encoding.ASCII.GetString(bytes[..length]).Split(' ');
            if (parts is not ["1", var at, var name]
                || !long.TryParse(at, NumberStyles.None, CultureInfo.InvariantCulture, out var milliseconds)
                || milliseconds > DateTimeOffset.MaxValue.ToUnixTimeMilliseconds()
                || !StreamName.IsValid(name))
            {
                return false;
            }

            cursor = new Cursor(milliseconds, name);
            return true;
        }
    }

    /// <summary>A stream, and whether a store was missing when it was described.</summary>
    public sealed record Description(StreamInfo Info, bool IsPartial);

    /// <summary>
    /// One page of streams, newest activity first; without Redis those that the archive has. Subscribers are those of this replica.
    /// A caller who may not see every stream gets a page that is not full after so many others.
    /// </summary>
    /// <exception cref="Exception">Redis is away, and the archive too or there is none.</exception>
    public async Task<StreamList> ListAsync(int limit, Cursor? after, Func<string, bool> isVisible, CancellationToken cancellationToken)
    {
        var list = await ListPageAsync(limit, after, isVisible, cancellationToken);
        for (var pages = 1; pages < MaxPages && list.Streams.Count < limit && list.Next is { } next && Cursor.TryParse(next, out var at); pages++)
        {
            var more = await ListPageAsync(limit - list.Streams.Count, at, isVisible, cancellationToken);
            list = more with { Streams = [.. list.Streams, .. more.Streams], Partial = list.Partial || more.Partial };
        }

        return list;
    }

    private async Task<StreamList> ListPageAsync(int limit, Cursor? after, Func<string, bool> isVisible, CancellationToken cancellationToken)
    {
        Cursor[] page;
        bool isPartial;
        try
        {
            var hot = HotAsync(limit + 1, after, cancellationToken);
            var cold = ColdAsync(limit + 1, after, cancellationToken);
            await Task.WhenAll(hot, cold);
            (var archived, isPartial) = await cold;
            page = Merge((await hot).Concat(archived), limit);
        }
        catch (Exception exception) when (archive.IsConfigured && RedisFaults.Classify(exception) != FaultKind.Permanent)
        {
            return await ListArchivedAsync(limit, after, isVisible, cancellationToken);
        }

        var listed = page.Length > limit ? page[..limit] : page;
        var streams = new List<StreamInfo>(listed.Length);
        foreach (var some in listed.Where(item => isVisible(item.Name)).Chunk(ConcurrentDescriptions))
        {
            var described = await Task.WhenAll(some.Select(item => DescribeAsync(item.Name, cancellationToken)));
            streams.AddRange(described.OfType<Description>().Select(item => item.Info));
            isPartial |= described.Any(item => item is { IsPartial: true });
        }

        return new StreamList(streams, page.Length > limit ? listed[^1].ToString() : null, [], isPartial);
    }

    /// <summary>One stream; null when nobody knows it. Without Redis what the archive has of it.</summary>
    /// <exception cref="Exception">Redis is away, and the archive does not know the stream.</exception>
    public async Task<Description?> DescribeAsync(string stream, CancellationToken cancellationToken)
    {
        var cold = ReadColdAsync(stream, cancellationToken);
        StreamMeta? meta;
        StreamPosition? oldestHot;
        long hotCount;
        try
        {
            var hotMeta = log.ReadMetaAsync(stream, cancellationToken);
            var hotFirst = log.ReadAfterAsync(stream, StreamPosition.Zero, 1, cancellationToken);
            var hotEvents = log.CountAsync(stream, cancellationToken);
            await Task.WhenAll(hotMeta, hotFirst, hotEvents);
            meta = await hotMeta is { Deleted: false } known ? known : null;
            oldestHot = (await hotFirst) is [var item] ? item.Position : null;
            hotCount = await hotEvents;
        }
        catch (Exception exception) when (RedisFaults.Classify(exception) != FaultKind.Permanent)
        {
            var (kept, _) = await cold;
            if (kept is null)
            {
                throw;
            }

            return new Description(Describe(kept), true);
        }

        var (archived, isArchiveMissing) = await cold;
        if (meta is null && archived is null)
        {
            return null;
        }

        var first = archived is { First: var start } && (oldestHot is null || start < oldestHot) ? start : oldestHot ?? StreamPosition.Zero;
        var last = meta is not null && meta.Last > (archived?.Last ?? StreamPosition.Zero) ? meta.Last : archived?.Last ?? StreamPosition.Zero;
        var state = meta?.EndState ?? (archived is not null && archived.Last == last ? archived.EndState : null) ?? StreamStates.Running;
        var archivedTo = archived?.Last is { IsZero: false } position ? position : meta?.Archived ?? StreamPosition.Zero;
        return new Description(
            new StreamInfo(
                stream,
                first.ToString(),
                last.ToString(),
                CountReadable(archived, oldestHot, last, hotCount),
                archivedTo.ToString(),
                feeds.Find(stream)?.Readers ?? 0,
                state),
            isArchiveMissing);
    }

    private static Cursor[] Merge(IEnumerable<Cursor> found, int limit) =>
        [.. found.OrderByDescending(item => item.At).ThenBy(item => item.Name, StringComparer.Ordinal).Take(limit + 1)];

    private StreamInfo Describe(ColdStream archived) => new(
        archived.Name,
        archived.First.ToString(),
        archived.Last.ToString(),
        archived.Count,
        archived.Last.ToString(),
        feeds.Find(archived.Name)?.Readers ?? 0,
        archived.EndState ?? StreamStates.Running);

    /// <exception cref="ArchiveUnavailableException">The archive is away too.</exception>
    private async Task<StreamList> ListArchivedAsync(
        int limit, Cursor? after, Func<string, bool> isVisible, CancellationToken cancellationToken)
    {
        (DateTimeOffset UpdatedAt, string Name)? position = after is { } cursor ? (DateTimeOffset.FromUnixTimeMilliseconds(cursor.At), cursor.Name) : null;
        var page = await archive.ListStreamsAsync(limit + 1, position, cancellationToken);
        return new StreamList(
            [.. page.Take(limit).Where(stream => isVisible(stream.Name)).Select(Describe)],
            page.Count > limit ? CursorOf(page[limit - 1]).ToString() : null,
            [],
            true);
    }

    /// <summary>What the archive has, and what the hot log has beyond it.</summary>
    private static long CountReadable(ColdStream? archived, StreamPosition? oldestHot, StreamPosition last, long hotCount)
    {
        if (archived is null || oldestHot is null)
        {
            return archived?.Count ?? hotCount;
        }

        // Sequences go on over epochs whose continuity is proven, so what both have is arithmetic.
        return oldestHot > archived.Last
            ? archived.Count + hotCount
            : archived.Count + Math.Max(0, last.Sequence - archived.Last.Sequence);
    }

    /// <returns>What the archive has, and whether it could not be asked: the hot log's part of the answer is better than none.</returns>
    private async Task<(ColdStream? Stream, bool IsMissing)> ReadColdAsync(string stream, CancellationToken cancellationToken)
    {
        try
        {
            return (await archive.ReadStreamAsync(stream, cancellationToken), false);
        }
        catch (ArchiveUnavailableException)
        {
            return (null, true);
        }
    }

    private async Task<IEnumerable<Cursor>> HotAsync(int take, Cursor? after, CancellationToken cancellationToken)
    {
        var database = redis.GetDatabase();
        var pages = await Task.WhenAll(Enumerable.Range(0, StreamName.PartitionCount).Select(partition => PageAsync(StreamKeys.Index(partition))));
        return pages.SelectMany(page => page);

        async Task<List<Cursor>> PageAsync(RedisKey index)
        {
            // Streams of the same millisecond as the cursor's are skipped by name, however many.
            var found = new List<Cursor>();
            for (var skip = 0; found.Count < take; skip += take)
            {
                var entries = await database
                    .SortedSetRangeByScoreWithScoresAsync(
                        index, double.NegativeInfinity, after?.At ?? double.PositiveInfinity, Exclude.None, Order.Descending, skip, take)
                    .WaitAsync(_timeout, time, cancellationToken);
                found.AddRange(entries.Select(entry => new Cursor((long)entry.Score, entry.Element.ToString())).Where(item => IsAfter(item, after)));
                if (entries.Length < take)
                {
                    break;
                }
            }

            return found;
        }
    }

    private async Task<(IReadOnlyList<Cursor> Streams, bool IsMissing)> ColdAsync(int take, Cursor? after, CancellationToken cancellationToken)
    {
        var database = redis.GetDatabase();
        var found = new List<Cursor>();
        var position = PositionOf(after);
        while (found.Count < take)
        {
            IReadOnlyList<ColdStream> page;
            try
            {
                page = await archive.ListStreamsAsync(take, position, cancellationToken);
            }
            catch (ArchiveUnavailableException)
            {
                return (found, true);
            }

            // A stream that the hot log's index has is listed by that, with its own time.
            var scores = await Task.WhenAll(page.Select(stream => database
                .SortedSetScoreAsync(StreamKeys.Index(StreamName.PartitionOf(stream.Name)), stream.Name)
                .WaitAsync(_timeout, time, cancellationToken)));
            found.AddRange(page.Where((_, index) => scores[index] is null)
                .Select(CursorOf)
                .Where(item => IsAfter(item, after)));
            if (page.Count < take)
            {
                break;
            }

            position = (page[^1].UpdatedAt, page[^1].Name);
        }

        return (found, false);
    }

    private static Cursor CursorOf(ColdStream stream) => new(stream.UpdatedAt.ToUnixTimeMilliseconds(), stream.Name);

    /// <summary>Where the archive's listing goes on: with the streams of the cursor's millisecond, whatever their names.</summary>
    private static (DateTimeOffset UpdatedAt, string Name)? PositionOf(Cursor? after) => after is { } cursor
        ? (DateTimeOffset.FromUnixTimeMilliseconds(cursor.At).AddTicks(TimeSpan.TicksPerMillisecond - 1), "")
        : null;

    private static bool IsAfter(Cursor item, Cursor? after) =>
        after is not { } cursor || item.At < cursor.At || (item.At == cursor.At && string.CompareOrdinal(item.Name, cursor.Name) > 0);
}
