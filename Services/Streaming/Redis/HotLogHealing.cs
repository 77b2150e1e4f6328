using System.Globalization;
using AspireStreaming.Streaming.Contracts;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireStreaming.Streaming.Redis;

/// <summary>
/// The steps in which events that Redis lost are put back: probe, stage, put back, open. When to take them is the
/// <see cref="PartitionFence"/>'s matter. Thread-safe.
/// </summary>
public sealed class HotLogHealing
{
    /// <summary>Most positions in one probe.</summary>
    private const int MaxProbed = 500;

    /// <summary>Most bytes and events staged in one call, so that Redis serves others in between.</summary>
    private const int MaxStagedBytes = 1 << 20;

    private const int MaxStagedEvents = 500;

    private const int MaxHealedEvents = 500;

    private static readonly string CheckText = FencedScripts.Load("check_partition.lua");
    private static readonly string ProbeText = FencedScripts.Load("heal_probe.lua");
    private static readonly string StageText = FencedScripts.Load("heal_stage.lua");
    private static readonly string OpenText = FencedScripts.Load("heal_open.lua");

    private readonly IConnectionMultiplexer _redis;
    private readonly HotLogOptions _options;
    private readonly TimeProvider _time;

    /// <summary>Creates the steps.</summary>
    public HotLogHealing(IConnectionMultiplexer redis, IOptions<HotLogOptions> options, TimeProvider time)
    {
        _redis = redis;
        _options = options.Value;
        _time = time;
    }

    /// <summary>How a partition stands.</summary>
    /// <exception cref="TimeoutException">Redis did not answer in time.</exception>
    /// <exception cref="RedisException">Redis is away or refuses.</exception>
    public async Task<PartitionState> ReadStateAsync(int partition, CancellationToken cancellationToken)
    {
        var reply = (RedisResult[])(await EvaluateAsync(
            CheckText,
            [
                StreamKeys.Epoch(partition), StreamKeys.Process(partition), StreamKeys.Watermark(partition), StreamKeys.Staged(partition),
                StreamKeys.Archive(partition),
            ],
            [],
            cancellationToken).ConfigureAwait(false))!;
        return new PartitionState(
            PartitionEpoch.Parse((string)reply[0]!),
            (string)reply[1]! == "1",
            StreamPosition.TryParse((byte[])reply[2]!, out var watermark) ? watermark : StreamPosition.Zero,
            (long)reply[3],
            (long)reply[4],
            StreamPosition.Parse((byte[])reply[5]!));
    }

    /// <summary>Which of a stream's positions Redis does not have.</summary>
    /// <returns>Their indexes, and the stream's last position; null when the partition's epoch has changed.</returns>
    /// <inheritdoc cref="ReadStateAsync" path="/exception"/>
    public async Task<(List<int> Missing, StreamPosition Last, bool Deleted)?> ProbeAsync(
        string stream, PartitionEpoch epoch, IReadOnlyList<StreamPosition> positions, CancellationToken cancellationToken)
    {
        var missing = new List<int>();
        var last = StreamPosition.Zero;
        var deleted = false;
        RedisKey[] keys = [StreamKeys.Epoch(StreamName.PartitionOf(stream)), StreamKeys.Stream(stream), StreamKeys.Meta(stream)];
        var start = 0;
        do
        {
            var count = Math.Min(MaxProbed, positions.Count - start);
            var arguments = new RedisValue[1 + count];
            arguments[0] = epoch.ToString();
            for (var index = 0; index < count; index++)
            {
                arguments[1 + index] = positions[start + index].ToString();
            }

            var reply = (RedisResult[])(await EvaluateAsync(ProbeText, keys, arguments, cancellationToken).ConfigureAwait(false))!;
            if ((string)reply[0]! != "OK")
            {
                return null;
            }

            last = StreamPosition.TryParse((byte[])reply[1]!, out var known) ? known : StreamPosition.Zero;
            deleted = (string)reply[2]! == "1";
            for (var index = 3; index < reply.Length; index++)
            {
                missing.Add(start + (int)reply[index]);
            }

            start += count;
        }
        while (start < positions.Count);

        return (missing, last, deleted);
    }

    /// <summary>Stages what is held of a stream.</summary>
    /// <returns>False when the partition's epoch has changed.</returns>
    /// <inheritdoc cref="ReadStateAsync" path="/exception"/>
    public async Task<bool> StageAsync(PartitionEpoch epoch, HeldStream held, CancellationToken cancellationToken)
    {
        var partition = StreamName.PartitionOf(held.Stream);
        RedisKey[] keys =
        [
            StreamKeys.Epoch(partition), StreamKeys.Staged(partition), StreamKeys.StagedPositions(held.Stream), StreamKeys.StagedEvents(held.Stream),
            StreamKeys.StagedBorders(held.Stream),
        ];
        var next = 0;
        do
        {
            var arguments = new List<RedisValue>
            {
                epoch.ToString(),
                held.Stream,
                Text(held.Archived),
                Text(held.Last),
                held.EndState ?? "",
                held.EndType ?? "",
                Text(held.Deleted ?? StreamPosition.Zero),
                held.DeletedFromArchive ? "1" : "0",
            };
            for (var bytes = 0; next < held.Events.Count && bytes < MaxStagedBytes && arguments.Count < 8 + (6 * MaxStagedEvents); next++)
            {
                var item = held.Events[next];
                bytes += item.Frame.Length;
                arguments.Add(item.Position.ToString());
                arguments.Add(item.RecordedAt.ToString(CultureInfo.InvariantCulture));
                arguments.Add(item.Previous?.ToString() ?? "-");
                arguments.Add(item.Identity);
                arguments.Add(new EventFrame(item.Frame).ExtensionsEnd());
                arguments.Add(item.Frame);
            }

            if ((string)(await EvaluateAsync(StageText, keys, [.. arguments], cancellationToken).ConfigureAwait(false))! != "OK")
            {
                return false;
            }
        }
        while (next < held.Events.Count);

        return true;

        static string Text(StreamPosition position) => position.IsZero ? "" : position.ToString();
    }

    /// <summary>Names of the partition's streams of which something is staged.</summary>
    /// <inheritdoc cref="ReadStateAsync" path="/exception"/>
    internal async Task<RedisValue[]> ReadStagedAsync(int partition, CancellationToken cancellationToken) =>
        await _redis.GetDatabase().SetMembersAsync(StreamKeys.Staged(partition))
            .WaitAsync(_options.CommandTimeout, _time, cancellationToken).ConfigureAwait(false);

    /// <summary>Puts back what is staged of a stream.</summary>
    /// <returns>Events put back in their places and appended again; null when the partition's epoch has changed.</returns>
    /// <inheritdoc cref="ReadStateAsync" path="/exception"/>
    internal async Task<(long Restored, long Repeated)?> HealAsync(HealingScript script, string stream, CancellationToken cancellationToken)
    {
        RedisKey[] keys = [StreamKeys.Stream(stream)];
        RedisValue[] arguments =
        [
            stream, (long)(_options.IdempotencyWindow.TotalMilliseconds / 2), _options.MaxIdsPerStream,
            (long)_options.TombstoneTimeToLive.TotalMilliseconds, MaxHealedEvents,
        ];
        long restored = 0;
        long repeated = 0;
        while (true)
        {
            var reply = (RedisResult[])(await _redis.GetDatabase().ScriptEvaluateAsync(script.Hash, keys, arguments)
                .WaitAsync(_options.CommandTimeout, _time, cancellationToken).ConfigureAwait(false))!;
            if ((string)reply[0]! != "OK")
            {
                return null;
            }

            restored += (long)reply[2];
            repeated += (long)reply[3];
            if ((string)reply[1]! == "0")
            {
                return (restored, repeated);
            }
        }
    }

    /// <summary>Ends a healing phase if its time is over and nothing staged is left.</summary>
    /// <returns>What the script answers.</returns>
    /// <inheritdoc cref="ReadStateAsync" path="/exception"/>
    internal async Task<string> OpenAsync(int partition, PartitionEpoch epoch, CancellationToken cancellationToken) =>
        (string)(await EvaluateAsync(
            OpenText,
            [StreamKeys.Epoch(partition), StreamKeys.Staged(partition)],
            [epoch.ToString(), epoch.Value, (long)_options.HealingPhase.TotalMilliseconds],
            cancellationToken).ConfigureAwait(false))!;

    private Task<RedisResult> EvaluateAsync(string text, RedisKey[] keys, RedisValue[] arguments, CancellationToken cancellationToken) =>
        UnfencedScripts.EvaluateAsync(_redis.GetDatabase(), text, keys, arguments).WaitAsync(_options.CommandTimeout, _time, cancellationToken);
}
