using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis.Wire;
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

    /// <summary>Streams whose encoded names are kept; about 300 bytes each.</summary>
    private const int MaxCachedStreams = 10_000;

    /// <summary>Most events and bytes of a request that shares its script with those of other partitions: none shall hold them up.</summary>
    private const int MaxSharedEvents = 16;

    private const int MaxSharedBytes = 32 << 10;

    /// <summary>Requests that have to wait before a second shared script is sent beside the first.</summary>
    private const int EnoughForSecondScript = 32;

    /// <summary>
    /// Below the cap by so much that a single event need not be checked: more than a script brings, and than this process can have
    /// missed of what the replies to such events tell now and then only.
    /// </summary>
    private const long FarFromFull = 8 << 20;

    private const char Separator = '\u001f';

    private readonly IConnectionMultiplexer _redis;
    private readonly PartitionFence _fence;
    private readonly IArchiveLookup? _archive;
    private readonly HotLogOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger<HotLog> _logger;
    private readonly long[] _archiveBytes = new long[StreamName.PartitionCount];
    private readonly AppendLane[] _lanes;
    private readonly AppendLane _sharedLane;
    private readonly SharedScript _shared;
    private readonly string _idLimits;
    private readonly ConcurrentDictionary<string, byte[]> _names = new(StringComparer.Ordinal);
    private int _namesAdded;
    private long _lookupFailures;
    private long _lookupFailureLogged;

    /// <summary>Creates the log.</summary>
    /// <param name="redis">The connection.</param>
    /// <param name="fence">The process's fence.</param>
    /// <param name="options">Limits and times.</param>
    /// <param name="time">The clock for time-outs.</param>
    /// <param name="logger">The log.</param>
    /// <param name="archive">Null where there is no archive to ask.</param>
    /// <param name="direct">The connection of its own for appends; null where there is none.</param>
    public HotLog(
        IConnectionMultiplexer redis,
        PartitionFence fence,
        IOptions<HotLogOptions> options,
        TimeProvider time,
        ILogger<HotLog> logger,
        IArchiveLookup? archive = null,
        DirectConnection? direct = null)
    {
        _redis = redis;
        _fence = fence;
        _archive = archive;
        _options = options.Value;
        _time = time;
        _logger = logger;
        _idLimits = string.Create(
            CultureInfo.InvariantCulture, $" {(long)(_options.IdempotencyWindow.TotalMilliseconds / 2)} {_options.MaxIdsPerStream}");
        direct = _options.DirectConnection ? direct : null;
        _lanes = [.. Enumerable.Range(0, StreamName.PartitionCount).Select(_ => new AppendLane(redis, direct, _options.CommandTimeout, time, enough: 1))];
        _sharedLane = new AppendLane(redis, direct, _options.CommandTimeout, time, EnoughForSecondScript);
        _shared = new SharedScript(redis, _options.CommandTimeout, time);
    }

    /// <summary>The script that requests of several partitions share.</summary>
    internal SharedScript Shared => _shared;

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
    /// <exception cref="RedisErrorException">The same, where appends go by a connection of their own.</exception>
    /// <exception cref="RedisLostException">The same.</exception>
    /// <exception cref="FenceException">The partition's epoch kept changing.</exception>
    public async Task<AppendResult> AppendAsync(AppendRequest request, CancellationToken cancellationToken)
    {
        var partition = StreamName.PartitionOf(request.Stream);
        var name = NameOf(request.Stream);
        ArchiveKnowledge? knowledge = null;
        var lookedUp = false;
        for (var step = 0; step < MaxFenceSteps; step++)
        {
            var scripts = await _fence.GetAsync(partition, cancellationToken).ConfigureAwait(false);
            var tried = request.Tried;

            // Whatever is out of the ordinary goes by the partition's own script, which is also where epochs are raised.
            var shared = step == 0 && !tried && IsSmall(request) ? _shared.For(partition, scripts.Epoch) : null;
            var arguments = ArgumentsOf(request, partition, scripts, lookedUp, knowledge);
            AppendReply reply;
            try
            {
                request.Tried = true;
                var lane = shared is null ? _lanes[partition] : _sharedLane;
                reply = new AppendReply(
                    await lane.SendAsync(new AppendCall(shared ?? scripts.Append, name, arguments), cancellationToken).ConfigureAwait(false));
            }
            catch (Exception exception) when (RedisFaults.IsNoScript(exception))
            {
                // It did not run, so this was no try.
                request.Tried = tried;
                if (shared is not null)
                {
                    // Whether Redis has lost more than that, the partition's own script tells.
                    _shared.Forget(shared);
                    continue;
                }

                await _fence.AfterNoScriptAsync(partition, scripts, scripts.AppendText, cancellationToken).ConfigureAwait(false);
                continue;
            }

            switch (reply.Status)
            {
                case AppendReplyStatus.Appended:
                    if (reply.ArchiveBytes is { } held)
                    {
                        Volatile.Write(ref _archiveBytes[partition], held);
                    }

                    if (shared is null && _options.ShareScripts)
                    {
                        _shared.Want(partition, scripts.Epoch);
                    }

                    return reply.ToResult(idempotencyPartial: lookedUp && knowledge is null && _archive is not null);
                case AppendReplyStatus.Stale:
                    request.Tried = tried;
                    await _fence.AfterStaleAsync(partition, scripts, cancellationToken).ConfigureAwait(false);
                    break;
                case AppendReplyStatus.LookUp:
                    request.Tried = tried;
                    knowledge = await LookUpAsync(request.Stream, EventsToLookUp(request), cancellationToken).ConfigureAwait(false);
                    lookedUp = true;
                    break;
                case AppendReplyStatus.BacklogFull:
                    Volatile.Write(ref _archiveBytes[partition], reply.ArchiveBytes ?? 0);
                    return reply.ToResult(idempotencyPartial: false);
                default:
                    return reply.ToResult(idempotencyPartial: false);
            }
        }

        throw new FenceException($"The epoch of partition {partition} changed {MaxFenceSteps} times during one append.");
    }

    /// <summary>Deletes a stream from Redis, and by way of the archive log from the archive if asked.</summary>
    /// <exception cref="ArchiveLookupException">Redis does not know the stream, and the archive could not be asked.</exception>
    /// <returns>False when neither Redis nor the archive knows the stream.</returns>
    public async Task<bool> DeleteAsync(string stream, bool fromArchive, CancellationToken cancellationToken) =>
        await TryDeleteAsync(stream, fromArchive, cancellationToken).ConfigureAwait(false) is not null;

    /// <inheritdoc cref="DeleteAsync"/>
    /// <returns>What was deleted; null when neither Redis nor the archive knows the stream.</returns>
    public async Task<Deletion?> TryDeleteAsync(string stream, bool fromArchive, CancellationToken cancellationToken)
    {
        var partition = StreamName.PartitionOf(stream);
        var knowledge = await LookUpAsync(stream, [], cancellationToken).ConfigureAwait(false);
        RedisKey[] keys = [NameOf(stream)];
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
                        return new Deletion(StreamPosition.Parse((byte[])reply[1]!), StreamPosition.Parse((byte[])reply[2]!));
                    case "UNKNOWN" when knowledge is null && _archive is not null:
                        throw new ArchiveLookupException($"Redis does not know stream '{stream}', and the archive could not be asked.");
                    case "UNKNOWN":
                        return null;
                    default:
                        await _fence.AfterStaleAsync(partition, scripts, cancellationToken).ConfigureAwait(false);
                        break;
                }
            }
            catch (RedisServerException exception) when (RedisFaults.IsNoScript(exception))
            {
                await _fence.AfterNoScriptAsync(partition, scripts, scripts.DeleteText, cancellationToken).ConfigureAwait(false);
            }
        }

        throw new FenceException($"The epoch of partition {partition} changed {MaxFenceSteps} times during one delete.");
    }

    private static bool IsSmall(AppendRequest request)
    {
        if (request.Events.Count > MaxSharedEvents)
        {
            return false;
        }

        var bytes = 0;
        for (var index = 0; index < request.Events.Count; index++)
        {
            bytes += request.Events[index].Frame.Length;
        }

        return bytes <= MaxSharedBytes;
    }

    /// <summary>A stream's key as the client library sends it.</summary>
    private byte[] NameOf(string stream)
    {
        if (!_names.TryGetValue(stream, out var name))
        {
            name = Encoding.ASCII.GetBytes(((string?)StreamKeys.Stream(stream))!);
            if (Interlocked.Increment(ref _namesAdded) % MaxCachedStreams == 0)
            {
                _names.Clear();
            }

            _names[stream] = name;
        }

        return name;
    }

    private AppendArguments ArgumentsOf(
        AppendRequest request, int partition, FencedScripts scripts, bool lookedUp, ArchiveKnowledge? knowledge)
    {
        var events = request.Events;
        var allGenerated = true;
        var anyGenerated = false;
        var plain = !lookedUp && request.Expected is null && !request.Tried && !events[^1].Flags.HasFlag(EventFlags.Terminal);
        for (var index = 0; index < events.Count; index++)
        {
            var item = events[index];
            anyGenerated |= item.IdGenerated;
            if (!item.IdGenerated)
            {
                allGenerated = false;
                plain &= !GeneratedId.TryGetAttempt(item.Id, out _);
            }
        }

        // A mixture of given and generated ids must say that there are generated ones.
        plain &= allGenerated || !anyGenerated;
        return new AppendArguments(
            scripts.EpochText,
            plain && allGenerated && events.Count == 1 && IsFarFromFull(partition)
                ? null
                : string.Create(
                    CultureInfo.InvariantCulture,
                    $"{scripts.Epoch} {(allGenerated ? -events.Count : events.Count)} {BacklogLimit(partition)} {request.Attempt}{(allGenerated ? "" : _idLimits)}{(plain ? "" : Extras(request, lookedUp, knowledge))}"),
            allGenerated,
            events);
    }

    /// <summary>What append.lua reads with <c>extras()</c>.</summary>
    private static string Extras(AppendRequest request, bool lookedUp, ArchiveKnowledge? knowledge)
    {
        var (generated, wanted, attempt) = GeneratedIds(request);
        var last = request.Events[^1];
        var terminal = last.Flags.HasFlag(EventFlags.Terminal);
        var archived = knowledge is { Last.IsZero: false };
        var text = new StringBuilder(128);
        text.Append(Separator).Append(generated).Append(Separator);
        text.Append(request.Expected?.ToString()).Append(Separator);
        text.Append(terminal ? StreamStates.AfterTerminal(last.Type) : "").Append(Separator);
        text.Append(terminal ? last.Type : "").Append(Separator);
        text.Append(!lookedUp ? '0' : knowledge is null ? '2' : '1').Append(Separator);
        text.Append(archived ? knowledge!.Last.Epoch.ToString(CultureInfo.InvariantCulture) : "").Append(Separator);
        text.Append(archived ? knowledge!.Last.Sequence.ToString(CultureInfo.InvariantCulture) : "").Append(Separator);
        text.Append(knowledge?.EndState).Append(Separator);
        text.AppendJoin(',', (knowledge?.Known ?? []).Select(static known => string.Create(CultureInfo.InvariantCulture, $"{known.Key}={known.Value}")))
            .Append(Separator);
        text.Append(wanted).Append(Separator);
        return text.Append(attempt).Append(Separator).ToString();
    }

    /// <summary>Which generated ids the script must look for: none, a first try's, a retry's, or a client's that was answered 503.</summary>
    private static (string Mode, string Wanted, string Attempt) GeneratedIds(AppendRequest request)
    {
        var generatedHere = false;
        var attempt = request.Attempt;
        StringBuilder? wanted = null;
        for (var index = 0; index < request.Events.Count; index++)
        {
            var item = request.Events[index];
            generatedHere |= item.IdGenerated;
            var sentAgain = false;
            if (!item.IdGenerated && GeneratedId.TryGetAttempt(item.Id, out var earlier))
            {
                sentAgain = true;
                attempt = attempt == request.Attempt ? earlier : attempt;
            }

            if (sentAgain || (item.IdGenerated && request.Tried))
            {
                wanted ??= new StringBuilder();
                wanted.Append(CultureInfo.InvariantCulture, $"{(wanted.Length == 0 ? "" : ",")}{index}={item.Id}");
            }
        }

        return (generatedHere ? request.Tried ? "r" : "n" : wanted is null ? "" : "s", wanted?.ToString() ?? "", attempt);
    }

    /// <summary>Ids that were generated are nobody's yet, unless a try that was not answered came as far as the archive.</summary>
    private static IReadOnlyList<AppendEvent> EventsToLookUp(AppendRequest request) =>
        request.Tried ? [.. request.Events.Select(static item => item with { IdGenerated = false })] : request.Events;

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

    /// <summary>Whether a single event may go without a look at the cap; not before the partition was heard of.</summary>
    private bool IsFarFromFull(int partition)
    {
        var most = _options.MaxArchiveBacklogBytes;
        return most == 0
            || (Volatile.Read(ref _archiveBytes[partition]) > 0 && ArchiveBacklogBytes < most - Math.Min(FarFromFull, most / 2));
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
