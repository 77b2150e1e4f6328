using System.Globalization;
using AspireStreaming.Streaming.Contracts;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireStreaming.Streaming.Redis;

/// <summary>
/// Knows each partition's epoch and raises it when the Redis process may have lost data. Thread-safe; one per process.
/// </summary>
/// <remarks>
/// Whoever is told NOSCRIPT, or finds no epoch or one below an epoch it has seen, raises: new = max(stored + 1, highest seen + 1,
/// now), first loading the scripts for the new number, then setting it by compare-and-set from the value read. Who loses that race,
/// or is told STALE, takes the stored epoch.
/// </remarks>
public sealed class PartitionFence
{
    private static readonly string RaiseText = FencedScripts.Load("raise_epoch.lua");

    private readonly IConnectionMultiplexer _redis;
    private readonly TimeProvider _time;
    private readonly ILogger<PartitionFence> _logger;
    private readonly TimeSpan _timeout;
    private readonly FencedScripts?[] _current = new FencedScripts?[StreamName.PartitionCount];
    private readonly SemaphoreSlim[] _gates = [.. Enumerable.Range(0, StreamName.PartitionCount).Select(_ => new SemaphoreSlim(1, 1))];
    private readonly long[] _highestSeen = new long[StreamName.PartitionCount];

    /// <summary>Creates the fence; reads nothing yet.</summary>
    public PartitionFence(IConnectionMultiplexer redis, IOptions<HotLogOptions> options, TimeProvider time, ILogger<PartitionFence> logger)
    {
        _redis = redis;
        _time = time;
        _logger = logger;
        _timeout = options.Value.CommandTimeout;
    }

    /// <summary>The highest epoch seen of a partition; 0 before the first.</summary>
    public long HighestSeen(int partition) => Volatile.Read(ref _highestSeen[partition]);

    /// <summary>The scripts for what is believed to be the partition's epoch.</summary>
    internal ValueTask<FencedScripts> GetAsync(int partition, CancellationToken cancellationToken) =>
        Volatile.Read(ref _current[partition]) is { } scripts ? ValueTask.FromResult(scripts) : new(CorrectAsync(partition, null, false, cancellationToken));

    /// <summary>Takes the stored epoch after STALE, raising it where it is missing or below one that was seen.</summary>
    internal Task<FencedScripts> AfterStaleAsync(int partition, FencedScripts refused, CancellationToken cancellationToken) =>
        CorrectAsync(partition, refused, false, cancellationToken);

    /// <summary>Raises the epoch after NOSCRIPT, unless somebody has done so since.</summary>
    internal Task<FencedScripts> AfterNoScriptAsync(int partition, FencedScripts refused, CancellationToken cancellationToken) =>
        CorrectAsync(partition, refused, true, cancellationToken);

    /// <summary>
    /// Compares the stored epoch with what this process has seen and raises it where it is missing or lower.
    /// </summary>
    /// <returns>The epoch in force.</returns>
    public async Task<long> CheckAsync(int partition, CancellationToken cancellationToken) =>
        (await CorrectAsync(partition, Volatile.Read(ref _current[partition]), false, cancellationToken).ConfigureAwait(false)).Epoch;

    private async Task<FencedScripts> CorrectAsync(int partition, FencedScripts? refused, bool scriptMissing, CancellationToken cancellationToken)
    {
        var gate = _gates[partition];
        await gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_current[partition] is { } corrected && corrected != refused)
            {
                return corrected;
            }

            var database = _redis.GetDatabase();
            var read = await database.StringGetAsync(StreamKeys.Epoch(partition)).WaitAsync(_timeout, _time, cancellationToken).ConfigureAwait(false);
            var stored = read.IsNull ? 0 : long.Parse(read.ToString(), CultureInfo.InvariantCulture);
            var seen = _highestSeen[partition];

            // A missing script raises only while the epoch is still the one it was called for; otherwise somebody else has raised.
            var raise = stored == 0 || stored < seen || (scriptMissing && stored == refused?.Epoch);
            if (raise)
            {
                stored = await RaiseAsync(partition, read, Math.Max(Math.Max(stored, seen) + 1, _time.GetUtcNow().ToUnixTimeMilliseconds()), cancellationToken)
                    .ConfigureAwait(false);
            }

            if (stored > seen)
            {
                Volatile.Write(ref _highestSeen[partition], stored);
            }

            var scripts = refused?.Epoch == stored ? refused : new FencedScripts(partition, stored);
            Volatile.Write(ref _current[partition], scripts);
            return scripts;
        }
        finally
        {
            gate.Release();
        }
    }

    private async Task<long> RaiseAsync(int partition, RedisValue read, long epoch, CancellationToken cancellationToken)
    {
        var next = new FencedScripts(partition, epoch);
        await LoadAsync(next, cancellationToken).ConfigureAwait(false);
        var reply = await UnfencedScripts.EvaluateAsync(
                _redis.GetDatabase(),
                RaiseText,
                [StreamKeys.Epoch(partition), StreamKeys.Archive(partition), StreamKeys.ArchiveBytes(partition)],
                [read.IsNull ? "" : read, epoch])
            .WaitAsync(_timeout, _time, cancellationToken).ConfigureAwait(false);
        var inForce = long.Parse((string)reply!, CultureInfo.InvariantCulture);
        if (inForce == epoch)
        {
            HotLogEvents.EpochRaised(_logger, partition, read.IsNull ? "none" : read.ToString(), epoch);
        }

        return inForce;
    }

    private async Task LoadAsync(FencedScripts scripts, CancellationToken cancellationToken)
    {
        Exception? failure = null;
        var loaded = 0;
        foreach (var endpoint in _redis.GetEndPoints())
        {
            try
            {
                var server = _redis.GetServer(endpoint);
                await server.ScriptLoadAsync(scripts.AppendText).WaitAsync(_timeout, _time, cancellationToken).ConfigureAwait(false);
                await server.ScriptLoadAsync(scripts.DeleteText).WaitAsync(_timeout, _time, cancellationToken).ConfigureAwait(false);
                loaded++;
            }
            catch (Exception exception) when (RedisFaults.Classify(exception) != FaultKind.Permanent)
            {
                // With several endpoints one may be away; the partition's own will answer NOSCRIPT if it is that one.
                failure = exception;
            }
        }

        if (loaded == 0)
        {
            throw failure ?? new InvalidOperationException("No Redis endpoint is configured.");
        }
    }
}
