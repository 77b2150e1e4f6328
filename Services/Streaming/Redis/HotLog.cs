using System.Buffers;
using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using AspireStreaming.Streaming.Contracts;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireStreaming.Streaming.Redis;

/// <summary>Appends to the hot log and deletes from it. Thread-safe; commands of concurrent callers are pipelined on one connection.</summary>
public sealed class HotLog
{
    /// <summary>How often one call follows a changing partition epoch before it gives up.</summary>
    private const int MaxFenceSteps = 6;

    private static readonly TimeSpan LookupFailureLogInterval = TimeSpan.FromSeconds(10);

    /// <summary>Streams whose keys are kept; about 700 bytes each.</summary>
    private const int MaxCachedStreams = 10_000;

    private readonly IConnectionMultiplexer _redis;
    private readonly PartitionFence _fence;
    private readonly IArchiveLookup? _archive;
    private readonly HotLogOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger<HotLog> _logger;
    private readonly long[] _archiveBytes = new long[StreamName.PartitionCount];
    private readonly ConcurrentDictionary<string, RedisKey[]> _keys = new(StringComparer.Ordinal);
    private int _keysAdded;
    private long _lookupFailures;
    private long _lookupFailureLogged;

    /// <summary>Creates the log.</summary>
    /// <param name="redis">The connection.</param>
    /// <param name="fence">The process's fence.</param>
    /// <param name="options">Limits and times.</param>
    /// <param name="time">The clock for time-outs.</param>
    /// <param name="logger">The log.</param>
    /// <param name="archive">Null where there is no archive to ask.</param>
    public HotLog(
        IConnectionMultiplexer redis, PartitionFence fence, IOptions<HotLogOptions> options, TimeProvider time, ILogger<HotLog> logger, IArchiveLookup? archive = null)
    {
        _redis = redis;
        _fence = fence;
        _archive = archive;
        _options = options.Value;
        _time = time;
        _logger = logger;
    }

    /// <summary>Bytes in all archive logs, as far as this process has heard.</summary>
    public long ArchiveBacklogBytes
    {
        get
        {
            var sum = 0L;
            for (var partition = 0; partition < _archiveBytes.Length; partition++)
            {
                sum += Volatile.Read(ref _archiveBytes[partition]);
            }

            return sum;
        }
    }

    /// <summary>
    /// Appends all events of the request or none. Calling again with the same request after an exception is a safe retry.
    /// </summary>
    /// <exception cref="TimeoutException">No answer in time; the events may be in the log.</exception>
    /// <exception cref="RedisException">Redis is away or refuses; <see cref="RedisFaults.Classify"/> tells the kind.</exception>
    /// <exception cref="FenceException">The partition's epoch kept changing.</exception>
    public async Task<AppendResult> AppendAsync(AppendRequest request, CancellationToken cancellationToken)
    {
        var partition = StreamName.PartitionOf(request.Stream);
        var keys = AppendKeys(request, partition);
        ArchiveKnowledge? knowledge = null;
        var lookedUp = false;
        for (var step = 0; step < MaxFenceSteps; step++)
        {
            var scripts = await _fence.GetAsync(partition, cancellationToken).ConfigureAwait(false);
            var arguments = AppendArguments(request, partition, lookedUp, knowledge);
            var tried = request.Tried;
            RedisResult[] reply;
            try
            {
                request.Tried = true;
                reply = (RedisResult[])(await _redis.GetDatabase().ScriptEvaluateAsync(scripts.Append, keys, arguments)
                    .WaitAsync(_options.CommandTimeout, _time, cancellationToken).ConfigureAwait(false))!;
            }
            catch (RedisServerException exception) when (RedisFaults.IsNoScript(exception))
            {
                // It did not run, so this was no try.
                request.Tried = tried;
                await _fence.AfterNoScriptAsync(partition, scripts, cancellationToken).ConfigureAwait(false);
                continue;
            }

            switch ((string)reply[0]!)
            {
                case "OK":
                    Volatile.Write(ref _archiveBytes[partition], (long)reply[5]);
                    return new AppendResult(
                        AppendStatus.Appended,
                        Position(reply[1]),
                        Position(reply[2]),
                        (int)reply[3],
                        (int)reply[4],
                        IdempotencyPartial: lookedUp && knowledge is null && _archive is not null);
                case "STALE":
                    request.Tried = tried;
                    await _fence.AfterStaleAsync(partition, scripts, cancellationToken).ConfigureAwait(false);
                    break;
                case "LOOKUP":
                    request.Tried = tried;
                    knowledge = await LookUpAsync(request.Stream, request.Events, cancellationToken).ConfigureAwait(false);
                    lookedUp = true;
                    break;
                case "ENDED":
                    return new AppendResult(AppendStatus.Ended, EndState: (string)reply[1]!, Current: Position(reply[2]));
                case "EXPECTED":
                    return new AppendResult(AppendStatus.PositionMismatch, Current: Position(reply[1]));
                case "BACKLOG":
                    Volatile.Write(ref _archiveBytes[partition], (long)reply[1]);
                    return new AppendResult(AppendStatus.BacklogFull);
                case var answer:
                    throw new InvalidDataException($"The append script answered '{answer}'.");
            }
        }

        throw new FenceException($"The epoch of partition {partition} changed {MaxFenceSteps} times during one append.");
    }

    /// <summary>Deletes a stream from Redis, and by way of the archive log from the archive if asked.</summary>
    /// <returns>False when neither Redis nor the archive knows the stream.</returns>
    public async Task<bool> DeleteAsync(string stream, bool fromArchive, CancellationToken cancellationToken)
    {
        var partition = StreamName.PartitionOf(stream);
        var knowledge = await LookUpAsync(stream, [], cancellationToken).ConfigureAwait(false);
        var keys = StreamKeysOf(stream, partition);
        var archived = knowledge is { Last.IsZero: false };
        RedisValue[] arguments =
        [
            stream, fromArchive ? 1 : 0,
            archived ? knowledge!.Last.Epoch : "", archived ? knowledge!.Last.Sequence : "",
            (long)_options.TombstoneTimeToLive.TotalMilliseconds,
        ];
        for (var step = 0; step < MaxFenceSteps; step++)
        {
            var scripts = await _fence.GetAsync(partition, cancellationToken).ConfigureAwait(false);
            try
            {
                var reply = (RedisResult[])(await _redis.GetDatabase().ScriptEvaluateAsync(scripts.Delete, keys, arguments)
                    .WaitAsync(_options.CommandTimeout, _time, cancellationToken).ConfigureAwait(false))!;
                switch ((string)reply[0]!)
                {
                    case "OK":
                        return true;
                    case "UNKNOWN":
                        return false;
                    default:
                        await _fence.AfterStaleAsync(partition, scripts, cancellationToken).ConfigureAwait(false);
                        break;
                }
            }
            catch (RedisServerException exception) when (RedisFaults.IsNoScript(exception))
            {
                await _fence.AfterNoScriptAsync(partition, scripts, cancellationToken).ConfigureAwait(false);
            }
        }

        throw new FenceException($"The epoch of partition {partition} changed {MaxFenceSteps} times during one delete.");
    }

    private static StreamPosition Position(RedisResult result) => StreamPosition.Parse((byte[])result!);

    /// <summary>
    /// The keys of an append, in the script's order. All but the last belong to the stream and are kept, encoded, for the streams that
    /// were appended to lately.
    /// </summary>
    private RedisKey[] AppendKeys(AppendRequest request, int partition)
    {
        var stream = request.Stream;
        if (!_keys.TryGetValue(stream, out var keys))
        {
            keys = StreamKeysOf(stream, partition);
            if (Interlocked.Increment(ref _keysAdded) % MaxCachedStreams == 0)
            {
                _keys.Clear();
            }

            _keys[stream] = keys;
        }

        var attempt = request.Attempt;
        foreach (var item in request.Events)
        {
            if (!item.IdGenerated && GeneratedId.TryGetAttempt(item.Id, out var earlier))
            {
                attempt = earlier;
                break;
            }
        }

        return [.. keys, StreamKeys.Attempt(stream, attempt)];
    }

    private static RedisKey[] StreamKeysOf(string stream, int partition) =>
    [
        StreamKeys.Epoch(partition), StreamKeys.Archive(partition), StreamKeys.ArchiveBytes(partition), StreamKeys.Index(partition),
        StreamKeys.Stream(stream), StreamKeys.Meta(stream), StreamKeys.Idempotency(stream, 0), StreamKeys.Idempotency(stream, 1),
    ];

    private RedisValue[] AppendArguments(AppendRequest request, int partition, bool lookedUp, ArchiveKnowledge? knowledge)
    {
        var events = request.Events;
        var arguments = new RedisValue[17 + (2 * events.Count)];
        var (generated, wanted) = GeneratedIds(request);
        var last = events[^1];
        var archived = knowledge is { Last.IsZero: false };
        arguments[0] = request.Stream;
        arguments[1] = (long)(_options.IdempotencyWindow.TotalMilliseconds / 2);
        arguments[2] = _options.MaxIdsPerStream;
        arguments[3] = BacklogLimit(partition);
        arguments[4] = request.Attempt;
        arguments[5] = generated;
        arguments[6] = request.Expected?.ToString() ?? "";
        arguments[7] = last.Flags.HasFlag(EventFlags.Terminal) ? StreamStates.AfterTerminal(last.Type) : "";
        arguments[8] = last.Flags.HasFlag(EventFlags.Terminal) ? last.Type : "";
        arguments[9] = !lookedUp ? "0" : knowledge is null ? "2" : "1";
        arguments[10] = archived ? knowledge!.Last.Epoch : "";
        arguments[11] = archived ? knowledge!.Last.Sequence : "";
        arguments[12] = knowledge?.EndState ?? "";
        arguments[13] = knowledge?.EndType ?? "";
        arguments[14] = knowledge is { Known.Count: > 0 }
            ? string.Join(',', knowledge.Known.Select(known => string.Create(CultureInfo.InvariantCulture, $"{known.Key}={known.Value}")))
            : "";
        arguments[15] = wanted;
        arguments[16] = events.Count;
        for (var index = 0; index < events.Count; index++)
        {
            var item = events[index];
            arguments[17 + (2 * index)] = item.IdGenerated ? "" : Identity(item.Source, item.Id);
            arguments[18 + (2 * index)] = item.Frame;
        }

        return arguments;
    }

    /// <summary>Which generated ids the script must look for: none, a first try's, a retry's, or a client's that was answered 503.</summary>
    private static (string Mode, string Wanted) GeneratedIds(AppendRequest request)
    {
        var generatedHere = false;
        StringBuilder? wanted = null;
        for (var index = 0; index < request.Events.Count; index++)
        {
            var item = request.Events[index];
            generatedHere |= item.IdGenerated;
            if ((item.IdGenerated && request.Tried) || (!item.IdGenerated && GeneratedId.TryGetAttempt(item.Id, out _)))
            {
                wanted ??= new StringBuilder();
                wanted.Append(CultureInfo.InvariantCulture, $"{(wanted.Length == 0 ? "" : ",")}{index}={item.Id}");
            }
        }

        return (generatedHere ? request.Tried ? "r" : "n" : wanted is null ? "" : "s", wanted?.ToString() ?? "");
    }

    /// <summary>Of the cap over all partitions, what is left to this one as far as this process knows.</summary>
    private long BacklogLimit(int partition)
    {
        if (_options.MaxArchiveBacklogBytes == 0)
        {
            return 0;
        }

        var others = ArchiveBacklogBytes - Volatile.Read(ref _archiveBytes[partition]);
        return Math.Max(1, _options.MaxArchiveBacklogBytes - others);
    }

    /// <summary>16 bytes that stand for (source, id): the first half of SHA-256, so that nobody can construct a collision.</summary>
    private static byte[] Identity(string source, string id)
    {
        var sourceLength = Encoding.UTF8.GetByteCount(source);
        var length = 4 + sourceLength + Encoding.UTF8.GetByteCount(id);
        byte[]? rented = null;
        var buffer = length <= 512 ? stackalloc byte[512] : (rented = ArrayPool<byte>.Shared.Rent(length));
        BinaryPrimitives.WriteInt32LittleEndian(buffer, sourceLength);
        Encoding.UTF8.GetBytes(source, buffer[4..]);
        Encoding.UTF8.GetBytes(id, buffer[(4 + sourceLength)..]);
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(buffer[..length], hash);
        if (rented is not null)
        {
            ArrayPool<byte>.Shared.Return(rented);
        }

        return hash[..16].ToArray();
    }

    private async Task<ArchiveKnowledge?> LookUpAsync(string stream, IReadOnlyList<AppendEvent> events, CancellationToken cancellationToken)
    {
        if (_archive is null)
        {
            return null;
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(_options.ArchiveLookupTimeout);
        try
        {
            return await _archive.LookUpAsync(stream, events, limit.Token).ConfigureAwait(false);
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            // While the archive is away every new stream comes here; the log says so now and then.
            var failures = Interlocked.Increment(ref _lookupFailures);
            var now = _time.GetTimestamp();
            var last = Volatile.Read(ref _lookupFailureLogged);
            if ((last == 0 || _time.GetElapsedTime(last, now) > LookupFailureLogInterval)
                && Interlocked.CompareExchange(ref _lookupFailureLogged, now, last) == last)
            {
                HotLogEvents.ArchiveLookupFailed(_logger, stream, exception.GetType().Name, exception.Message, failures);
            }

            return null;
        }
    }
}
