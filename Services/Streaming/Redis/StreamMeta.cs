using System.Globalization;
using AspireStreaming.Streaming.Contracts;
using StackExchange.Redis;

namespace AspireStreaming.Streaming.Redis;

/// <summary>What the hot log knows of a stream.</summary>
/// <param name="Last">Position of its last event; of a deleted stream, the last it had.</param>
/// <param name="Archived">Up to where the archive has it; <c>0-0</c> if nowhere.</param>
/// <param name="RecordedAt">When the last event was recorded, Unix milliseconds.</param>
/// <param name="EndState">The state its terminal event left it in; null while it runs.</param>
/// <param name="EndType">The type of that event.</param>
/// <param name="Deleted">Whether only its tombstone is left.</param>
public sealed record StreamMeta(StreamPosition Last, StreamPosition Archived, long RecordedAt, string? EndState, string? EndType, bool Deleted)
{
    internal static readonly RedisValue[] Fields = ["e", "s", "ae", "as", "rt", "end", "endtype", "del", "pe"];

    /// <summary>The partition's epoch at its last append; lower than the partition's own where nothing was appended since that was raised.</summary>
    public long PartitionEpoch { get; init; }

    /// <summary>One of <see cref="StreamStates"/>.</summary>
    public string State => EndState ?? StreamStates.Running;

    internal static StreamMeta? Read(RedisValue[] values) => values[0].IsNull
        ? null
        : new StreamMeta(
            new StreamPosition(Number(values[0]), Number(values[1])),
            new StreamPosition(Number(values[2]), Number(values[3])),
            Number(values[4]),
            Text(values[5]),
            Text(values[6]),
            values[7] == "1")
        {
            PartitionEpoch = Number(values[8]),
        };

    private static long Number(RedisValue value) => value.IsNull ? 0 : long.Parse(value.ToString(), CultureInfo.InvariantCulture);

    private static string? Text(RedisValue value) => value.IsNullOrEmpty ? null : value.ToString();
}
