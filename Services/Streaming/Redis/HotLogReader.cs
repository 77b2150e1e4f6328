using AspireStreaming.Streaming.Contracts;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireStreaming.Streaming.Redis;

/// <summary>Reads streams, their meta and archive logs from Redis. Thread-safe.</summary>
public sealed class HotLogReader
{
    private readonly IConnectionMultiplexer _redis;
    private readonly TimeProvider _time;
    private readonly TimeSpan _timeout;

    /// <summary>Creates a reader.</summary>
    public HotLogReader(IConnectionMultiplexer redis, IOptions<HotLogOptions> options, TimeProvider time)
    {
        _redis = redis;
        _time = time;
        _timeout = options.Value.CommandTimeout;
    }

    /// <summary>Up to <paramref name="count"/> events after a position, oldest first; entries that are damaged are left out.</summary>
    /// <exception cref="TimeoutException">Redis did not answer in time.</exception>
    /// <exception cref="RedisException">Redis is away or refuses.</exception>
    public Task<StoredEvent[]> ReadAfterAsync(string stream, StreamPosition after, int count, CancellationToken cancellationToken) =>
        ReadAsync(count, (from, wanted) =>
            ExecuteAsync("XRANGE", [StreamKeys.Stream(stream), Beyond(from ?? after), "+", "COUNT", wanted], cancellationToken));

    /// <summary>Up to <paramref name="count"/> events before a position (null = from the end), newest first.</summary>
    /// <inheritdoc cref="ReadAfterAsync" path="/exception"/>
    public Task<StoredEvent[]> ReadBeforeAsync(string stream, StreamPosition? before, int count, CancellationToken cancellationToken) =>
        ReadAsync(count, (from, wanted) => ExecuteAsync(
            "XREVRANGE",
            [StreamKeys.Stream(stream), (from ?? before) is { } position ? "(" + position : "+", "-", "COUNT", wanted],
            cancellationToken));

    /// <summary>The stream's meta; null when Redis does not know the stream.</summary>
    /// <inheritdoc cref="ReadAfterAsync" path="/exception"/>
    public async Task<StreamMeta?> ReadMetaAsync(string stream, CancellationToken cancellationToken) =>
        StreamMeta.Read(await _redis.GetDatabase().HashGetAsync(StreamKeys.Meta(stream), StreamMeta.Fields)
            .WaitAsync(_timeout, _time, cancellationToken).ConfigureAwait(false));

    /// <summary>Number of events of the stream that are in Redis.</summary>
    /// <inheritdoc cref="ReadAfterAsync" path="/exception"/>
    public async Task<long> CountAsync(string stream, CancellationToken cancellationToken) =>
        (long)await ExecuteAsync("XLEN", [StreamKeys.Stream(stream)], cancellationToken).ConfigureAwait(false);

    /// <summary>Names of a partition's streams by their last append, newest first, with that time in Unix milliseconds.</summary>
    /// <inheritdoc cref="ReadAfterAsync" path="/exception"/>
    public async Task<KeyValuePair<string, long>[]> ReadIndexAsync(int partition, int skip, int take, CancellationToken cancellationToken)
    {
        var entries = await _redis.GetDatabase()
            .SortedSetRangeByRankWithScoresAsync(StreamKeys.Index(partition), skip, skip + take - 1, Order.Descending)
            .WaitAsync(_timeout, _time, cancellationToken).ConfigureAwait(false);
        return [.. entries.Select(entry => KeyValuePair.Create(entry.Element.ToString(), (long)entry.Score))];
    }

    /// <summary>Up to <paramref name="count"/> entries of a partition's archive log after an ID.</summary>
    /// <inheritdoc cref="ReadAfterAsync" path="/exception"/>
    public async Task<ArchiveLogEntry[]> ReadArchiveLogAsync(int partition, StreamPosition after, int count, CancellationToken cancellationToken) =>
        RedisReplies.ArchiveLogEntries(await ExecuteAsync(
            "XRANGE", [StreamKeys.Archive(partition), after.IsZero ? "-" : "(" + after, "+", "COUNT", count], cancellationToken).ConfigureAwait(false));

    /// <summary>ID of the last entry that a partition's archive log ever had, kept even when it is trimmed; <c>0-0</c> for none.</summary>
    /// <inheritdoc cref="ReadAfterAsync" path="/exception"/>
    public async Task<StreamPosition> ReadArchiveLogEndAsync(int partition, CancellationToken cancellationToken)
    {
        RedisResult[] info;
        try
        {
            info = (RedisResult[])(await ExecuteAsync("XINFO", ["STREAM", StreamKeys.Archive(partition)], cancellationToken).ConfigureAwait(false))!;
        }
        catch (RedisServerException exception) when (exception.Message.Contains("no such key", StringComparison.OrdinalIgnoreCase))
        {
            return StreamPosition.Zero;
        }

        for (var index = 0; index + 1 < info.Length; index += 2)
        {
            if ((string)info[index]! == "last-generated-id")
            {
                return StreamPosition.Parse((byte[])info[index + 1]!);
            }
        }

        throw new InvalidDataException("XINFO STREAM answered without last-generated-id.");
    }

    /// <summary>Number of entries in a partition's archive log.</summary>
    /// <inheritdoc cref="ReadAfterAsync" path="/exception"/>
    public async Task<long> CountArchiveLogAsync(int partition, CancellationToken cancellationToken) =>
        (long)await ExecuteAsync("XLEN", [StreamKeys.Archive(partition)], cancellationToken).ConfigureAwait(false);

    private static string Beyond(StreamPosition after) => after.IsZero ? "-" : "(" + after;

    /// <summary>Reads on where damaged entries were left out: fewer events than wanted mean that there are no more.</summary>
    private static async Task<StoredEvent[]> ReadAsync(int count, Func<StreamPosition?, int, Task<RedisResult>> read)
    {
        var events = new List<StoredEvent>();
        StreamPosition? from = null;
        while (true)
        {
            var wanted = count - events.Count;
            var (entries, last) = RedisReplies.AddStreamEntries(await read(from, wanted).ConfigureAwait(false), events);
            if (entries < wanted || events.Count == count)
            {
                return [.. events];
            }

            from = last;
        }
    }

    private Task<RedisResult> ExecuteAsync(string command, object[] arguments, CancellationToken cancellationToken) =>
        _redis.GetDatabase().ExecuteAsync(command, arguments).WaitAsync(_timeout, _time, cancellationToken);
}
