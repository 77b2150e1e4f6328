using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis.Link;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireStreaming.Streaming.Redis;

/// <summary>
/// Knows each partition's epoch, raises it when the Redis process may have lost data, and sees to it that what was lost is put back
/// before anything is appended. Thread-safe; one per process.
/// </summary>
/// <remarks>
/// Whoever finds no epoch, one below an epoch it has seen, or one that was raised in another process of Redis (or in this one before
/// it was a replica), raises: new = max(stored + 1, highest seen + 1, now), first loading the append script for the new
/// number, then setting it by compare-and-set from the value read. Who loses that race, or is told STALE, takes the stored epoch.
/// Who is told NOSCRIPT looks, too; where nothing of that is so, only that script is missing, and it loads it. This is also how what
/// deletes comes to Redis, and what heals where there is something to put back: most partitions never need them. A raise opens a
/// healing phase; publishers stage what they hold, and the first to find the phase's
/// time over puts it back and opens the partition.
/// </remarks>
public sealed class PartitionFence
{
    /// <summary>How often one call follows a changing epoch before it gives up.</summary>
    private const int MaxSteps = 10;

    private static readonly string RaiseText = FencedScripts.Load("raise_epoch.lua");

    private readonly IConnectionMultiplexer _redis;
    private readonly HotLogHealing _healing;
    private readonly IArchiveLookup? _archive;
    private readonly IHealingSource? _source;
    private readonly TimeProvider _time;
    private readonly ILogger<PartitionFence> _logger;
    private readonly HotLogOptions _options;
    private readonly FencedScripts?[] _current = new FencedScripts?[StreamName.PartitionCount];
    private readonly SemaphoreSlim[] _gates = [.. Enumerable.Range(0, StreamName.PartitionCount).Select(_ => new SemaphoreSlim(1, 1))];
    private readonly long[] _highestSeen = new long[StreamName.PartitionCount];
    private readonly int[] _checkedFor = new int[StreamName.PartitionCount];
    private int _connection = 1;

    /// <summary>Creates the fence; reads nothing yet.</summary>
    /// <param name="redis">The connection; after each reconnect the partitions are checked before they are used.</param>
    /// <param name="options">Times.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">The log.</param>
    /// <param name="archive">Tells whether a partition is new; null where there is no archive to ask.</param>
    /// <param name="source">What this process holds to be put back; null in programs that hold nothing.</param>
    /// <param name="link">Tells when the connections were replaced; null where they never are.</param>
    public PartitionFence(
        IConnectionMultiplexer redis,
        IOptions<HotLogOptions> options,
        TimeProvider time,
        ILogger<PartitionFence> logger,
        IArchiveLookup? archive = null,
        IHealingSource? source = null,
        RedisLink? link = null)
    {
        _redis = redis;
        _healing = new HotLogHealing(redis, options, time);
        _archive = archive;
        _source = source;
        _time = time;
        _logger = logger;
        _options = options.Value;
        redis.ConnectionFailed += OnConnectionChanged;
        redis.ConnectionRestored += OnConnectionChanged;
        link?.Replaced += Distrust;
    }

    /// <summary>Raised when nothing that was found out about Redis is relied on any more.</summary>
    internal event Action? Distrusted;

    /// <summary>Counts how often that was so: what was checked in one of them says nothing about the next.</summary>
    internal int Generation => Volatile.Read(ref _connection);

    /// <summary>The highest epoch seen of a partition; 0 before the first.</summary>
    public long HighestSeen(int partition) => Volatile.Read(ref _highestSeen[partition]);

    /// <summary>Notes an epoch that was seen somewhere: in an archive log, in the archive.</summary>
    /// <returns>False when a higher one was seen before: Redis has lost data, and <see cref="CheckAsync"/> should be called.</returns>
    public bool Observe(int partition, long epoch)
    {
        while (true)
        {
            var seen = HighestSeen(partition);
            if (epoch <= seen)
            {
                return epoch == seen;
            }

            if (Interlocked.CompareExchange(ref _highestSeen[partition], epoch, seen) == seen)
            {
                return true;
            }
        }
    }

    /// <summary>
    /// Raises the epoch where it has vanished, is below one that was seen, or of another process of Redis. Does not wait for healing.
    /// </summary>
    /// <returns>The epoch in force.</returns>
    public async Task<PartitionEpoch> CheckAsync(int partition, CancellationToken cancellationToken)
    {
        for (var step = 0; step < MaxSteps; step++)
        {
            var state = await _healing.ReadStateAsync(partition, cancellationToken).ConfigureAwait(false);
            if (!MustRaise(partition, state) || (state.Epoch.IsNone && HighestSeen(partition) == 0))
            {
                // A partition that was never used is none of a reader's business.
                Observe(partition, state.Epoch.Value);
                return state.Epoch;
            }

            await RaiseAsync(partition, state, cancellationToken).ConfigureAwait(false);
        }

        throw Unsettled(partition);
    }

    /// <summary>
    /// As <see cref="CheckAsync"/>, then puts back what this process holds and Redis does not have, and what others have staged.
    /// </summary>
    public Task SettleAsync(int partition, CancellationToken cancellationToken) => CorrectAsync(partition, null, null, true, cancellationToken);

    /// <summary>Every partition is checked before it is used next.</summary>
    internal void Distrust()
    {
        Interlocked.Increment(ref _connection);
        Distrusted?.Invoke();
    }

    /// <summary>The scripts for what is believed to be the partition's epoch.</summary>
    internal ValueTask<FencedScripts> GetAsync(int partition, CancellationToken cancellationToken) =>
        Volatile.Read(ref _current[partition]) is { } scripts && Volatile.Read(ref _checkedFor[partition]) == Volatile.Read(ref _connection)
            ? ValueTask.FromResult(scripts)
            : new(CorrectAsync(partition, null, null, false, cancellationToken));

    /// <summary>Takes the stored epoch after STALE, raising it where it is missing or below one that was seen.</summary>
    internal Task<FencedScripts> AfterStaleAsync(int partition, FencedScripts refused, CancellationToken cancellationToken) =>
        CorrectAsync(partition, refused, null, false, cancellationToken);

    /// <summary>Raises the epoch after NOSCRIPT, unless somebody has done so since, or only the script is missing: then it is loaded.</summary>
    internal Task<FencedScripts> AfterNoScriptAsync(int partition, FencedScripts refused, string text, CancellationToken cancellationToken) =>
        CorrectAsync(partition, refused, text, false, cancellationToken);

    private static FenceException Unsettled(int partition) => new($"The epoch of partition {partition} kept changing.");

    private void OnConnectionChanged(object? sender, ConnectionFailedEventArgs arguments)
    {
        // Redis may be another process by now, or the same one after it was a replica: it is asked before anything is appended.
        if (arguments.ConnectionType == ConnectionType.Interactive)
        {
            Distrust();
        }
    }

    private bool MustRaise(int partition, in PartitionState state) =>
        state.Epoch.IsNone || state.Epoch.Value < HighestSeen(partition) || !state.IsSameProcess;

    private async Task<FencedScripts> CorrectAsync(
        int partition, FencedScripts? refused, string? missing, bool always, CancellationToken cancellationToken)
    {
        var gate = _gates[partition];
        await gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var connection = Volatile.Read(ref _connection);
            if (!always && _current[partition] is { } corrected && corrected != refused && _checkedFor[partition] == connection)
            {
                return corrected;
            }

            // A missing script raises only while the epoch is still the one it was called for; otherwise somebody else has raised.
            var missingIn = missing is null ? 0 : refused!.Epoch;
            var healingLoadedFor = 0L;
            for (var step = 0; step < MaxSteps; step++)
            {
                var state = await _healing.ReadStateAsync(partition, cancellationToken).ConfigureAwait(false);
                if (MustRaise(partition, state))
                {
                    await RaiseAsync(partition, state, cancellationToken).ConfigureAwait(false);
                    continue;
                }

                if (missing is not null && state.Epoch.Value == missingIn)
                {
                    // The process is the one in which the epoch was raised: it has lost nothing but scripts, or never had this one. It is
                    // looked at once more after that is loaded: it may have become another meanwhile.
                    await LoadAsync(missing, cancellationToken).ConfigureAwait(false);
                    missing = null;
                    continue;
                }

                Observe(partition, state.Epoch.Value);
                _source?.Archived(partition, state.Watermark);
                var somethingToHeal = state.Staged > 0 || _source?.HasUnhealed(partition, state.Epoch.Value) == true;
                if (somethingToHeal && healingLoadedFor != state.Epoch.Value)
                {
                    // Its absence would be told only after everything is staged.
                    healingLoadedFor = state.Epoch.Value;
                    await LoadAsync(new HealingScript(partition, state.Epoch.Value).Text, cancellationToken).ConfigureAwait(false);
                    continue;
                }

                if (somethingToHeal || state.Epoch.IsHealing)
                {
                    missing = await HealAsync(partition, state, cancellationToken).ConfigureAwait(false);
                    missingIn = state.Epoch.Value;
                    continue;
                }

                var scripts = _current[partition] is { } kept && kept.Epoch == state.Epoch.Value ? kept : new FencedScripts(partition, state.Epoch.Value);
                Volatile.Write(ref _current[partition], scripts);
                Volatile.Write(ref _checkedFor[partition], connection);
                return scripts;
            }

            throw Unsettled(partition);
        }
        finally
        {
            gate.Release();
        }
    }

    /// <summary>Stages what this process holds, waits for the phase to end, and puts back what is staged.</summary>
    /// <returns>The healing script if that is missing; null when all is well or the epoch has changed.</returns>
    private async Task<string?> HealAsync(int partition, PartitionState state, CancellationToken cancellationToken)
    {
        var epoch = state.Epoch;
        if (_source is not null && !await _source.StageAsync(partition, epoch, cancellationToken).ConfigureAwait(false))
        {
            return null;
        }

        var script = new HealingScript(partition, epoch.Value);

        // No longer than a phase, whatever the clock of Redis has done since it began.
        var wait = Math.Min(epoch.HealingUntil - state.Time ?? 0, (long)_options.HealingPhase.TotalMilliseconds);
        long restored = 0;
        long repeated = 0;
        try
        {
            while (true)
            {
                if (wait > 0)
                {
                    await Task.Delay(TimeSpan.FromMilliseconds(wait), _time, cancellationToken).ConfigureAwait(false);
                    wait = 0;
                }

                foreach (var stream in await _healing.ReadStagedAsync(partition, cancellationToken).ConfigureAwait(false))
                {
                    if (await _healing.HealAsync(script, stream.ToString(), cancellationToken).ConfigureAwait(false) is not { } healed)
                    {
                        return null;
                    }

                    restored += healed.Restored;
                    repeated += healed.Repeated;
                }

                var opened = epoch.IsHealing ? await _healing.OpenAsync(partition, epoch, cancellationToken).ConfigureAwait(false) : "OPEN";
                if (opened is "OPEN" or "STALE")
                {
                    break;
                }

                _ = long.TryParse(opened, out wait);
            }
        }
        catch (RedisServerException exception) when (RedisFaults.IsNoScript(exception))
        {
            return script.Text;
        }

        if (restored + repeated > 0)
        {
            HotLogEvents.Healed(_logger, partition, epoch.Value, restored, repeated);
        }

        // Opened by whomever: nothing is opened while something is staged, so all that was staged in this epoch is back.
        var after = await _healing.ReadStateAsync(partition, cancellationToken).ConfigureAwait(false);
        if (after.Epoch == new PartitionEpoch(epoch.Value, null) && after.IsSameProcess && after.Staged == 0)
        {
            _source?.Confirm(partition, epoch.Value, after.LogEnd);
        }

        return null;
    }

    private async Task RaiseAsync(int partition, PartitionState state, CancellationToken cancellationToken)
    {
        var seen = HighestSeen(partition);
        var epoch = Math.Max(Math.Max(state.Epoch.Value, seen) + 1, _time.GetUtcNow().ToUnixTimeMilliseconds());
        var mode = state.Epoch.Value < seen && !state.Epoch.IsNone ? "lost"
            : state.Epoch.IsNone && seen == 0 && await IsNewAsync(partition, cancellationToken).ConfigureAwait(false) ? "new"
            : "";
        var next = new FencedScripts(partition, epoch);
        await LoadAsync(next.AppendText, cancellationToken).ConfigureAwait(false);
        var reply = await UnfencedScripts.EvaluateAsync(
                _redis.GetDatabase(),
                RaiseText,
                [StreamKeys.Epoch(partition), StreamKeys.Archive(partition), StreamKeys.ArchiveBytes(partition), StreamKeys.Process(partition)],
                [state.Epoch.ToString(), epoch, (long)_options.HealingPhase.TotalMilliseconds, mode, StreamKeys.RaiseChannel, partition])
            .WaitAsync(_options.CommandTimeout, _time, cancellationToken).ConfigureAwait(false);
        var inForce = PartitionEpoch.Parse((string)reply!);
        if (inForce.Value == epoch)
        {
            Observe(partition, epoch);
            HotLogEvents.EpochRaised(_logger, partition, state.Epoch.IsNone ? "none" : state.Epoch.ToString(), epoch, inForce.IsHealing);
        }
    }

    /// <summary>Whether nobody can have events of a partition that has no epoch: then nothing is waited for.</summary>
    private async Task<bool> IsNewAsync(int partition, CancellationToken cancellationToken)
    {
        if (_archive is null)
        {
            return true;
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(_options.ArchiveLookupTimeout);
        try
        {
            var watermark = await _archive.ReadWatermarkAsync(partition, limit.Token).ConfigureAwait(false);
            Observe(partition, watermark.Epoch);
            return watermark.IsZero;
        }
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
        {
            // Not to be told: it may be an old one.
            return false;
        }
    }

    /// <summary>
    /// Loads a script into every master. Not into replicas: the scripts' absence is how a replica that is promoted is known.
    /// </summary>
    private async Task LoadAsync(string script, CancellationToken cancellationToken)
    {
        Exception? failure = null;
        var loaded = 0;
        var endpoints = _redis.GetEndPoints();
        foreach (var endpoint in endpoints)
        {
            try
            {
                var server = _redis.GetServer(endpoint);
#pragma warning disable CS0618 // IsReplica is its name in newer versions of the client library only.
                if (endpoints.Length > 1 && server.IsSlave)
#pragma warning restore CS0618
                {
                    continue;
                }

                await server.ScriptLoadAsync(script).WaitAsync(_options.CommandTimeout, _time, cancellationToken).ConfigureAwait(false);
                loaded++;
            }
            catch (Exception exception) when (
                !cancellationToken.IsCancellationRequested && RedisFaults.Classify(exception) != FaultKind.Permanent)
            {
                // With several endpoints one may be away; the partition's own will answer NOSCRIPT if it is that one.
                failure = exception;
            }
        }

        if (loaded == 0)
        {
            throw failure ?? new FenceException("No Redis master is connected.");
        }
    }
}
