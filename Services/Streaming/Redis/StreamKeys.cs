using System.Globalization;
using AspireStreaming.Streaming.Contracts;
using StackExchange.Redis;

namespace AspireStreaming.Streaming.Redis;

/// <summary>
/// Every key and channel of the hot log. The partition in braces is the hash tag, so that all keys of one append share a slot
/// of a Redis Cluster.
/// </summary>
public static class StreamKeys
{
    private static readonly string[] Tags =
        [.. Enumerable.Range(0, StreamName.PartitionCount).Select(partition => string.Create(CultureInfo.InvariantCulture, $"{{{partition}}}:"))];

    /// <summary>The partition's epoch, Unix milliseconds.</summary>
    public static RedisKey Epoch(int partition) => Tags[partition] + "epoch";

    /// <summary>The partition's archive log.</summary>
    public static RedisKey Archive(int partition) => Tags[partition] + "archive";

    /// <summary>Bytes in the partition's archive log, as the scripts count them.</summary>
    public static RedisKey ArchiveBytes(int partition) => Tags[partition] + "archive:bytes";

    /// <summary>Run ID and replication ID of the Redis process in which the partition's epoch was raised last.</summary>
    public static RedisKey Process(int partition) => Tags[partition] + "process";

    /// <summary>ID of the last archived entry of the partition's archive log.</summary>
    public static RedisKey Watermark(int partition) => Tags[partition] + "watermark";

    /// <summary>Set of the partition's streams of which publishers have staged events, to be put back.</summary>
    public static RedisKey Staged(int partition) => Tags[partition] + "h";

    /// <summary>Positions of a stream's staged events, in order.</summary>
    public static RedisKey StagedPositions(string stream) => Tag(stream) + "hp:" + stream;

    /// <summary>A stream's staged events, and what else is staged of it.</summary>
    public static RedisKey StagedEvents(string stream) => Tag(stream) + "h:" + stream;

    /// <summary>Of a stream's staged events, those that began an epoch, with the position before.</summary>
    public static RedisKey StagedBorders(string stream) => Tag(stream) + "hb:" + stream;

    /// <summary>Sorted set of stream names by the time of their last append, Unix milliseconds.</summary>
    public static RedisKey Index(int partition) => Tags[partition] + "streams";

    /// <summary>The stream's entries.</summary>
    public static RedisKey Stream(string stream) => Tag(stream) + "s:" + stream;

    /// <summary>The stream's meta hash; its fields are named in <see cref="StreamMeta"/>.</summary>
    public static RedisKey Meta(string stream) => Tag(stream) + "m:" + stream;

    /// <summary>One of the stream's two idempotency hashes.</summary>
    /// <param name="stream">A valid stream name.</param>
    /// <param name="half">0 or 1; they rotate every half window.</param>
    public static RedisKey Idempotency(string stream, int half) => Tag(stream) + (half == 0 ? "i0:" : "i1:") + stream;

    /// <summary>The channel that wakes the stream's readers.</summary>
    public static string WakeChannel(string stream) => Tag(stream) + "c:" + stream;

    /// <summary>The channel on which the archiver publishes each partition's watermark as <c>&lt;partition&gt; &lt;id&gt;</c>.</summary>
    public const string WatermarkChannel = "archive:watermark";

    /// <summary>What every key and channel of a partition begins with.</summary>
    internal static string Tag(int partition) => Tags[partition];

    /// <summary>The channel that tells of each raised partition epoch; the message is the partition.</summary>
    public const string RaiseChannel = "epoch:raised";

    private static string Tag(string stream) => Tags[StreamName.PartitionOf(stream)];
}
