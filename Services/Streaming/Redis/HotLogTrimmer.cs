using System.Globalization;
using AspireStreaming.Streaming.Contracts;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireStreaming.Streaming.Redis;

/// <summary>What the archiver does to Redis after a commit: trims what is archived, sets expiry, publishes the watermark. Thread-safe.</summary>
public sealed class HotLogTrimmer
{
    private static readonly string ScriptText = FencedScripts.Load("archived.lua");

    private readonly IConnectionMultiplexer _redis;
    private readonly HotLogOptions _options;
    private readonly TimeProvider _time;

    /// <summary>Creates the trimmer.</summary>
    public HotLogTrimmer(IConnectionMultiplexer redis, IOptions<HotLogOptions> options, TimeProvider time)
    {
        _redis = redis;
        _options = options.Value;
        _time = time;
    }

    /// <summary>Tells Redis that everything up to a watermark is archived. Running it twice, or late, does no harm.</summary>
    /// <param name="partition">0 to 63.</param>
    /// <param name="watermark">ID of the last archived entry of the partition's archive log.</param>
    /// <param name="countedBytes">Sum of <see cref="ArchiveLogEntry.CountedBytes"/> of the entries since the last watermark.</param>
    /// <param name="archived">Each stream's last archived position; at most 1,000.</param>
    /// <param name="cancellationToken">Ends waiting.</param>
    /// <returns>Entries left in the archive log.</returns>
    /// <exception cref="TimeoutException">Redis did not answer in time.</exception>
    /// <exception cref="RedisException">Redis is away or refuses.</exception>
    public async Task<long> AfterCommitAsync(
        int partition,
        StreamPosition watermark,
        long countedBytes,
        IReadOnlyCollection<KeyValuePair<string, StreamPosition>> archived,
        CancellationToken cancellationToken)
    {
        var keys = new RedisKey[3 + (2 * archived.Count)];
        var arguments = new RedisValue[8 + (2 * archived.Count)];
        keys[0] = StreamKeys.Archive(partition);
        keys[1] = StreamKeys.ArchiveBytes(partition);
        keys[2] = StreamKeys.Watermark(partition);
        arguments[0] = partition.ToString(CultureInfo.InvariantCulture);
        arguments[1] = watermark.ToString();
        arguments[2] = countedBytes;
        arguments[3] = _options.MaxEventsPerStream;
        arguments[4] = (_time.GetUtcNow() - _options.MaxEventAge).ToUnixTimeMilliseconds();
        arguments[5] = (long)_options.StreamTimeToLive.TotalMilliseconds;
        arguments[6] = (long)_options.StreamTimeToLive.TotalMilliseconds * 2;
        arguments[7] = StreamKeys.WatermarkChannel;
        var index = 0;
        foreach (var (stream, position) in archived)
        {
            keys[3 + (2 * index)] = StreamKeys.Stream(stream);
            keys[4 + (2 * index)] = StreamKeys.Meta(stream);
            arguments[8 + (2 * index)] = position.Epoch;
            arguments[9 + (2 * index)] = position.Sequence;
            index++;
        }

        return (long)await UnfencedScripts.EvaluateAsync(_redis.GetDatabase(), ScriptText, keys, arguments)
            .WaitAsync(_options.CommandTimeout, _time, cancellationToken).ConfigureAwait(false);
    }
}
