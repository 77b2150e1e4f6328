using AspireStreaming.Archive;
using AspireStreaming.Archive.Writing;
using AspireStreaming.Streaming;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;

namespace AspireStreaming.EventArchiver.Archiving;

/// <summary>
/// Moves the archive logs of some partitions into the archive, one batch after another:
/// 1. look how long the logs are, all in one round trip;
/// 2. read from their starts, in order, until the batch is full;
/// 3. commit rows, streams, deletions and watermarks under the partitions' fences, again until it succeeds;
/// 4. tell Redis, which trims the logs.
/// </summary>
/// <remarks>
/// Step 2 always begins at the start of a log: what a predecessor or an earlier process of Redis left there is met there, and as the
/// log is trimmed after each commit, it costs nothing. A kill between any two steps repeats some; the key of the rows makes that
/// harmless.
/// </remarks>
internal sealed class ArchiveLane : IAsyncDisposable
{
    /// <summary>Most streams that one call tells Redis about.</summary>
    private const int MaxStreamsPerTrim = 1000;

    private readonly int _lane;
    private readonly OwnedPartitions _owned;
    private readonly HotLogReader _reader;
    private readonly HotLogTrimmer _trimmer;
    private readonly PartitionFence _fence;
    private readonly PartitionLeases _leases;
    private readonly ArchiveWriter _writer;
    private readonly ArchiveSchema _schema;
    private readonly ArchiverOptions _options;
    private readonly ArchiverMetrics _metrics;
    private readonly RedisGate _redisGate;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ArchiveBatch _batch = new();
    private readonly BatchFiller _filler;
    private readonly Backoff _redisBackoff = new();
    private readonly Backoff _postgresBackoff = new();
    private TimeSpan _idle;
    private long _lastCommit;
    private int _turn;
    private bool _recheck = true;

    public ArchiveLane(
        int lane,
        OwnedPartitions owned,
        HotLogReader reader,
        HotLogTrimmer trimmer,
        PartitionFence fence,
        PartitionLeases leases,
        ArchiveWriter writer,
        ArchiveSchema schema,
        ArchiverOptions options,
        ArchiverMetrics metrics,
        RedisGate redisGate,
        TimeProvider time,
        ILogger logger)
    {
        _lane = lane;
        _owned = owned;
        _reader = reader;
        _trimmer = trimmer;
        _fence = fence;
        _leases = leases;
        _writer = writer;
        _schema = schema;
        _options = options;
        _metrics = metrics;
        _redisGate = redisGate;
        _time = time;
        _logger = logger;
        _idle = options.MinPollInterval;
        _filler = new BatchFiller(_batch, reader, options, time, logger);
    }

    /// <summary>Works until told to stop, then finishes the batch in hand.</summary>
    /// <param name="stoppingToken">Begin no new batch.</param>
    /// <param name="hardStop">Give up the batch in hand too; it stays in the hot log.</param>
    /// <exception cref="OperationCanceledException">It came to that.</exception>
    public async Task RunAsync(CancellationToken stoppingToken, CancellationToken hardStop)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                if (await StepAsync(stoppingToken, hardStop))
                {
                    _idle = _options.MinPollInterval;
                }
                else
                {
                    await Task.Delay(_idle, _time, stoppingToken);
                    _idle = TimeSpan.FromTicks(Math.Min(_idle.Ticks * 2, _options.MaxPollInterval.Ticks));
                }

                _redisBackoff.Reset();
            }
            catch (Exception) when (hardStop.IsCancellationRequested)
            {
                throw new OperationCanceledException("The stop's deadline passed.", hardStop);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception)
            {
                _recheck = true;
                var delay = _redisBackoff.Next();
                ArchiverLog.ReadFailed(_logger, _lane, delay.TotalSeconds, exception);
                await WaitForRedisAsync(exception, delay, stoppingToken);
            }
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _writer.DisposeAsync();

    private async Task<bool> StepAsync(CancellationToken stoppingToken, CancellationToken hardStop)
    {
        var partitions = _owned.OfLane(_lane, _options.Lanes);
        await CheckFenceAsync(partitions, hardStop);
        await ReleaseAsync(partitions, hardStop);
        await Task.WhenAll(partitions.Where(partition => partition.Trim is not null).Select(partition => TrimAsync(partition, hardStop)));
        var ready = await FindReadyAsync(partitions, hardStop);
        if (ready.Count == 0)
        {
            return false;
        }

        // Batches that are not full are not committed more often than this; the first after a quiet time goes at once.
        var sinceCommit = _time.GetElapsedTime(_lastCommit);
        if (!_filler.More && _lastCommit != 0 && sinceCommit < _options.MaxBatchAge)
        {
            await Task.Delay(_options.MaxBatchAge - sinceCommit, _time, stoppingToken);
        }

        await _filler.FillAsync(ready, stoppingToken, hardStop);
        _metrics.Holds(_lane, _batch.OldestRecordedAt);
        if (_batch.IsEmpty)
        {
            return false;
        }

        if (await CommitAsync(ready, hardStop))
        {
            await Task.WhenAll(ready.Where(partition => partition.Trim is not null).Select(partition => TrimAsync(partition, hardStop)));
        }

        return true;
    }

    /// <summary>
    /// After an absence of Redis: what the archive has seen of a partition's epochs is compared with what Redis has, so that a loss is
    /// noticed where nobody publishes.
    /// </summary>
    private async Task CheckFenceAsync(List<OwnedPartition> partitions, CancellationToken cancellationToken)
    {
        if (!_recheck || partitions.Count == 0)
        {
            return;
        }

        await Task.WhenAll(partitions.Select(async partition =>
        {
            _fence.Observe(partition.Number, partition.Lease.Watermark.Epoch);
            await _fence.CheckAsync(partition.Number, cancellationToken);
        }));
        _recheck = false;
    }

    private async Task ReleaseAsync(List<OwnedPartition> partitions, CancellationToken cancellationToken)
    {
        var surplus = partitions.FindAll(static partition => partition.ReleaseRequested && partition.Trim is null);
        if (surplus.Count == 0)
        {
            return;
        }

        foreach (var partition in surplus)
        {
            _owned.Remove(partition);
            partitions.Remove(partition);
        }

        try
        {
            await _leases.ReleaseAsync(surplus.ConvertAll(static partition => partition.Lease), cancellationToken);
            ArchiverLog.Released(_logger, surplus.Count);
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            // Not released is taken back at the next renewal, or over by another when the lease ends.
            ArchiverLog.LeaseFailed(_logger, exception);
        }
    }

    private async Task<List<OwnedPartition>> FindReadyAsync(List<OwnedPartition> partitions, CancellationToken cancellationToken)
    {
        var now = _time.GetTimestamp();
        var open = partitions.FindAll(partition => partition.BlockedUntil <= now);
        var lengths = await Task.WhenAll(open.ConvertAll(partition => _reader.CountArchiveLogAsync(partition.Number, cancellationToken)));
        var ready = new List<OwnedPartition>();

        // In turn, so that none is always last when batches fill up.
        _turn++;
        for (var index = 0; index < open.Count; index++)
        {
            var at = (index + _turn) % open.Count;
            if (lengths[at] > 0)
            {
                open[at].ReadThrough = StreamPosition.Zero;
                ready.Add(open[at]);
            }
        }

        return ready;
    }

    /// <summary>Commits the batch, as often as it takes.</summary>
    /// <returns>False when it was given up because some partition has another owner.</returns>
    private async Task<bool> CommitAsync(List<OwnedPartition> partitions, CancellationToken hardStop)
    {
        while (true)
        {
            var start = _time.GetTimestamp();
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(hardStop);
            limit.CancelAfter(_options.CommitTimeout);
            try
            {
                var result = await _writer.CommitAsync(_batch, limit.Token);
                _postgresBackoff.Reset();
                if (result.Lost.Count > 0)
                {
                    Drop(partitions, result.Lost);
                    return false;
                }

                _lastCommit = _time.GetTimestamp();
                Settle(partitions, result, _time.GetElapsedTime(start));
                return true;
            }
            catch (Exception exception) when (!hardStop.IsCancellationRequested)
            {
                var delay = _postgresBackoff.Next();
                ArchiverLog.CommitFailed(_logger, _lane, _batch.Events.Count, delay.TotalSeconds, exception);
                _metrics.CommitFailed();
                await Task.Delay(delay, _time, hardStop);
                if (PostgresFaults.IsMissingSchema(exception))
                {
                    await RebuildSchemaAsync(hardStop);
                }
            }
        }
    }

    private async Task RebuildSchemaAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _schema.MigrateAsync(cancellationToken);
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            ArchiverLog.SchemaFailed(_logger, 0, exception);
        }
    }

    private void Drop(List<OwnedPartition> partitions, IReadOnlyList<int> lost)
    {
        foreach (var partition in partitions)
        {
            if (lost.Contains(partition.Number))
            {
                _owned.Remove(partition);
                ArchiverLog.FenceRefused(_logger, partition.Number, partition.Lease.Fence);
            }
        }

        _metrics.Holds(_lane, long.MaxValue);
    }

    private void Settle(List<OwnedPartition> partitions, CommitResult result, TimeSpan duration)
    {
        var streams = new Dictionary<int, List<KeyValuePair<string, StreamPosition>>>();
        foreach (var (stream, tally) in _batch.Streams)
        {
            if (!streams.TryGetValue(tally.Partition, out var positions))
            {
                streams.Add(tally.Partition, positions = []);
            }

            positions.Add(KeyValuePair.Create(stream, tally.Last));
            if (tally.EndState is { } state)
            {
                _metrics.Ended(state);
            }
        }

        foreach (var advance in _batch.Partitions)
        {
            var partition = partitions.Find(candidate => candidate.Number == advance.Partition)!;
            partition.MoveTo(advance.Watermark);
            partition.Trim = new PendingTrim(advance.Through, advance.CountedBytes, streams.GetValueOrDefault(advance.Partition, []));
            if (advance.Through < advance.Watermark)
            {
                ArchiverLog.OldLogRead(_logger, advance.Partition, advance.Through, advance.Watermark, advance.Entries);
            }
        }

        foreach (var dead in result.Dead)
        {
            if ((dead.Flags & EventFlags.Critical) != 0)
            {
                ArchiverLog.CriticalEventDropped(_logger, dead.Stream, dead.Position, dead.SqlState, dead.Reason);
            }
            else
            {
                ArchiverLog.EventDied(_logger, dead.Stream, dead.Position, dead.SqlState, dead.Reason);
            }
        }

        _metrics.Committed(result, duration);
        _metrics.Holds(_lane, long.MaxValue);
    }

    /// <summary>Tells Redis what a commit archived. Throws when Redis is away; then it is told again before anything else is read.</summary>
    private async Task TrimAsync(OwnedPartition partition, CancellationToken cancellationToken)
    {
        var trim = partition.Trim!;
        var streams = trim.Streams;

        // Only the last call trims: were it the first, a kill in between would leave streams that nobody tells Redis about again.
        while (streams.Count > MaxStreamsPerTrim)
        {
            var chunk = streams.GetRange(streams.Count - MaxStreamsPerTrim, MaxStreamsPerTrim);
            await _trimmer.AfterCommitAsync(partition.Number, partition.Trimmed, 0, chunk, cancellationToken);
            streams.RemoveRange(streams.Count - MaxStreamsPerTrim, MaxStreamsPerTrim);
        }

        await _trimmer.AfterCommitAsync(partition.Number, trim.Through, trim.CountedBytes, streams, cancellationToken);
        partition.Trimmed = trim.Through;
        partition.Trim = null;
        if (trim.Through.Epoch < partition.Lease.Watermark.Epoch)
        {
            // The log is of an earlier epoch than one that is archived: Redis lost data. Whoever sees that has the epoch raised.
            await _fence.CheckAsync(partition.Number, cancellationToken);
        }
    }

    private async Task WaitForRedisAsync(Exception failure, TimeSpan delay, CancellationToken stoppingToken)
    {
        try
        {
            // That Redis answers others is no reason to try again what it will refuse again.
            await (RedisFaults.Classify(failure) == FaultKind.Permanent
                ? Task.Delay(delay, _time, stoppingToken)
                : _redisGate.WaitAsync(delay, stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The loop sees it.
        }
    }
}
