using AspireStreaming.StreamApi.Connections;
using AspireStreaming.StreamApi.Statistics;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;

namespace AspireStreaming.StreamApi.Delivery;

/// <summary>
/// One stream that has readers here. It lives as long as it has readers, and a few seconds more.
/// </summary>
/// <remarks>
/// 1. It subscribes to the wake channel, 2. learns the tail and loads the newest events, 3. appends what wakes bring if position
/// arithmetic says that it comes next, 4. else reads the log from the window's end (repair). Steps 1, 2 and 4 run in one worker at a
/// time, which goes on until they succeed; step 3 in the threads that Redis's messages come on.
/// </remarks>
internal sealed class StreamFeed : IAsyncDisposable
{
    private const long MaxLoadedBytes = 1 << 20;

    /// <summary>How long a wake that came early waits for the one before it, until the log is read.</summary>
    private static readonly TimeSpan ReorderPatience = TimeSpan.FromMilliseconds(5);

    /// <summary>How long a tail that is behind the log may still be on its way.</summary>
    private static readonly TimeSpan WakePatience = TimeSpan.FromMilliseconds(100);

    private readonly FeedServices _services;
    private readonly FeedState _state;
    private readonly ReaderSignals _readers = new();
    private readonly SharedReads _reads;
    private readonly SharedTail _tail;
    private readonly WakeSubscription _wakes;
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _lock = new();
    private readonly DateTimeOffset _since;
    private Work _requested;
    private Task _worker = Task.CompletedTask;
    private bool _working;
    private bool _failing;
    private long _retries;
    private SubscriptionRequest? _lastRequest;

    public StreamFeed(string stream, FeedServices services)
    {
        Stream = stream;
        Partition = StreamName.PartitionOf(stream);
        _services = services;
        _since = services.Time.GetUtcNow();
        _state = new FeedState(new StreamWindow(services.Options.WindowEvents, services.Options.WindowBytes, services.Budget), services.Tally);
        _reads = new SharedReads(stream, _state, services, _stop.Token);
        _tail = new SharedTail(() => services.Tiers.ReadTailAsync(stream, TierSet.Log, _stop.Token));
        _wakes = new WakeSubscription(stream, services, OnWake, () => Request(Work.Repair), _readers.Pulse);
    }

    [Flags]
    private enum Work
    {
        None = 0,
        Subscribe = 1,
        LearnTail = 2,
        ConfirmTail = 4,
        Repair = 8,
    }

    /// <summary>The stream's name.</summary>
    public string Stream { get; }

    /// <summary>Its partition.</summary>
    public int Partition { get; }

    /// <summary>Completes when the tail is known for the first time.</summary>
    public Task Ready => _ready.Task;

    /// <summary>Whether the tail is known.</summary>
    public bool IsReady => _state.IsReady;

    /// <summary>Whether it keeps up with the hot log, as far as it knows.</summary>
    public bool IsHealthy => IsReady && !Volatile.Read(ref _failing);

    /// <summary>How often something had to be tried again because a store did not answer.</summary>
    public long Retries => Interlocked.Read(ref _retries) + _reads.Retries;

    /// <summary>Number of readers.</summary>
    public int Readers => _readers.Count;

    /// <inheritdoc cref="FeedState.Tail"/>
    public (StreamPosition Last, StreamEnd? End) Tail => _state.Tail;

    /// <inheritdoc cref="FeedState.Deletions"/>
    public int Deletions => _state.Deletions;

    /// <inheritdoc cref="FeedState.WindowFirst"/>
    public EncodedEvent? WindowFirst => _state.WindowFirst;

    /// <inheritdoc cref="FeedState.IsInWindow"/>
    public bool IsInWindow(StreamPosition cursor) => _state.IsInWindow(cursor);

    /// <inheritdoc cref="FeedState.Shrink"/>
    public void Shrink() => _state.Shrink();

    /// <summary>Begins to follow the stream.</summary>
    public void Start() => Request(Work.Subscribe | Work.LearnTail);

    /// <summary>The connections were replaced: subscribes anew, and looks at what was told on neither.</summary>
    public void Resubscribe() => Request(Work.Subscribe | Work.ConfirmTail);

    /// <summary>One object for readers who come one after another and ask for the same, as most do.</summary>
    public SubscriptionRequest Share(SubscriptionRequest request)
    {
        if (Volatile.Read(ref _lastRequest) is { } last && last == request)
        {
            return last;
        }

        Volatile.Write(ref _lastRequest, request);
        return request;
    }

    /// <summary>Adds a reader's signal.</summary>
    public void Join(ReaderSignal reader) => _readers.Add(reader);

    /// <summary>Removes a reader's signal.</summary>
    public void Leave(ReaderSignal reader) => _readers.Remove(reader);

    /// <inheritdoc cref="FeedState.Read"/>
    public WindowRead Read(
        StreamPosition cursor, Span<EncodedEvent?> into, long bytes, int deletionsSeen, out int count, out StreamEnd? end, out bool isAll) =>
        _state.Read(cursor, into, bytes, deletionsSeen, out count, out end, out isAll);

    /// <inheritdoc cref="SharedReads.ReadAsync"/>
    public Task<TierRead> ReadTiersAsync(StreamPosition cursor) => _reads.ReadAsync(cursor);

    /// <summary>Asks the hot log where the stream ends now.</summary>
    /// <exception cref="Exception">Redis is away.</exception>
    public Task<StreamTail> ReadLogTailAsync() => _tail.ReadAsync();

    /// <summary>Compares the tail with the hot log's meta.</summary>
    public void OnTailChecked(StreamMeta? meta)
    {
        switch (_state.Check(meta))
        {
            case TailVerdict.Behind:
                Request(Work.ConfirmTail);
                break;
            case TailVerdict.Unknown:
                Request(Work.LearnTail);
                break;
            case TailVerdict.Deleted:
                _readers.Pulse();
                break;
            default:
                break;
        }
    }

    /// <summary>The partition's epoch was raised and nothing was appended since: the log may have lost its end, and the archive have it.</summary>
    public void OnEpochRaised() => Request(Work.LearnTail);

    /// <summary>Somebody has seen a later tail than this feed; the wake that tells of it may be on its way, or lost.</summary>
    public void Expect() => Request(Work.ConfirmTail);

    /// <summary>Takes the events of one append.</summary>
    public void Offer(EncodedEvent[] events)
    {
        if (Take(events))
        {
            _readers.Pulse();
        }
    }

    /// <summary>Describes it for the statistics.</summary>
    public FeedInfo Describe(string replica, DateTimeOffset now)
    {
        var (events, bytes, early, newest) = _state.Holdings;
        var lastActivity = newest is null ? (DateTimeOffset?)null : DateTimeOffset.FromUnixTimeMilliseconds(newest.RecordedAt);
        return new FeedInfo(
            replica,
            Stream,
            Readers,
            Tail.Last.ToString(),
            events,
            bytes,
            _services.Options.WindowEvents,
            early,
            Retries,
            lastActivity,
            Math.Max(0, (now - (lastActivity ?? _since)).TotalSeconds),
            (now - _since).TotalSeconds,
            IsHealthy);
    }

    /// <summary>Stops following; readers are gone or leave at once.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        Task worker;
        lock (_lock)
        {
            worker = _worker;
        }

        await worker.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _wakes.UnsubscribeAsync();
        _state.Release();
        _stop.Dispose();
    }

    /// <summary>Takes the events of one append.</summary>
    /// <returns>Whether there is something for readers now.</returns>
    private bool Take(EncodedEvent[] events)
    {
        var (appended, needsRepair) = _state.Offer(events);
        if (needsRepair)
        {
            Request(Work.Repair);
        }

        return appended;
    }

    /// <inheritdoc cref="Take"/>
    private bool OnWake(WakeMessage wake)
    {
        switch (wake.Kind)
        {
            case WakeKind.Appended:
                return Take(EncodedEvent.Encode(Stream, wake.Batch));
            case WakeKind.AppendedToLog when !_state.HasReached(wake.Batch.Last):
                Request(Work.Repair);
                return false;
            case WakeKind.Deleted:
                return _state.TryDelete(wake.Batch.First);
            default:
                return false;
        }
    }

    private void Request(Work work)
    {
        lock (_lock)
        {
            _requested |= work;
            if (!_working && !_stop.IsCancellationRequested)
            {
                _working = true;
                _worker = Task.Run(WorkAsync);
            }
        }
    }

    private async Task WorkAsync()
    {
        var stop = _stop.Token;
        var failures = 0;
        while (true)
        {
            Work work;
            lock (_lock)
            {
                work = _requested;
                _requested = Work.None;
                if (work == Work.None || stop.IsCancellationRequested)
                {
                    _working = false;
                    return;
                }
            }

            try
            {
                await DoAsync(work, stop);
                failures = 0;
                Volatile.Write(ref _failing, false);
            }
            catch (Exception exception) when (!stop.IsCancellationRequested)
            {
                // Whatever it was, the stream's readers depend on this going on.
                if (failures == 0)
                {
                    StreamApiLog.FeedFailed(_services.Logger, Stream, exception);
                }

                Volatile.Write(ref _failing, true);
                lock (_lock)
                {
                    _requested |= work;
                }

                Interlocked.Increment(ref _retries);
                await _services.Retry.WaitAsync(exception, failures++, stop);
            }
        }
    }

    private async Task DoAsync(Work work, CancellationToken cancellationToken)
    {
        // The channel first: what is appended after the look at the tail comes by wake.
        if (work.HasFlag(Work.Subscribe))
        {
            await _wakes.SubscribeAsync(cancellationToken);
        }

        if (work.HasFlag(Work.LearnTail))
        {
            await LearnTailAsync(cancellationToken);
        }

        if (work.HasFlag(Work.ConfirmTail))
        {
            await ConfirmTailAsync(cancellationToken);
        }

        if (work.HasFlag(Work.Repair))
        {
            await Task.Delay(ReorderPatience, _services.Time, cancellationToken);
            await RepairAsync(cancellationToken);
        }
    }

    private async Task LearnTailAsync(CancellationToken cancellationToken)
    {
        var newest = await LoadNewestAsync(cancellationToken);
        StreamTail tail;
        var isUnknown = false;
        try
        {
            tail = await _services.Tiers.ReadTailAsync(Stream, TierSet.All, cancellationToken);
        }
        catch (ArchiveUnavailableException)
        {
            // Redis does not know the stream and nobody else can be asked: go live, and ask again with the tail check.
            tail = await _services.Tiers.ReadTailAsync(Stream, TierSet.Log, cancellationToken);
            isUnknown = true;
        }

        if (_state.Learn(newest, tail, isUnknown))
        {
            Request(Work.Repair);
        }

        _ready.TrySetResult();
        _readers.Pulse();
    }

    /// <summary>The newest events of the hot log, oldest first, back to the first hole or bound.</summary>
    private async Task<EncodedEvent[]> LoadNewestAsync(CancellationToken cancellationToken)
    {
        var newest = new List<EncodedEvent>();
        var bytes = 0L;
        StreamPosition? before = null;
        var more = true;
        while (more && newest.Count < _services.Options.PreloadEvents && bytes < MaxLoadedBytes)
        {
            var wanted = TierReader.BatchSize(newest.Count == 0 ? 0 : bytes / newest.Count);
            var page = await _services.Tiers.ReadBeforeAsync(Stream, before, TierSet.Log, wanted, cancellationToken);
            more = page.Length == wanted;
            foreach (var item in page)
            {
                if (newest.Count > 0 && Continuity.Judge(item.Position, newest[^1]) != Link.Adjacent)
                {
                    more = false;
                    break;
                }

                newest.Add(item);
                bytes += item.Size;
                before = item.Position;
            }
        }

        newest.Reverse();
        return [.. newest];
    }

    /// <summary>
    /// The log seems to be ahead. The wake may be on its way; if it does not come, it is lost, and perhaps the subscription with it.
    /// </summary>
    private async Task ConfirmTailAsync(CancellationToken cancellationToken)
    {
        var last = Tail.Last;
        await Task.Delay(WakePatience, _services.Time, cancellationToken);
        if (Tail.Last != last)
        {
            return;
        }

        var isAhead = (await _services.Log.ReadAfterAsync(Stream, last, 1, cancellationToken)).Length > 0;
        if (Tail.Last != last)
        {
            return;
        }

        if (isAhead)
        {
            _services.Metrics.LostWakes.Add(1);
            StreamApiLog.WakeLost(_services.Logger, Stream, last);
            await _wakes.RenewAsync(cancellationToken);
            await RepairAsync(cancellationToken);
        }
        else
        {
            await LearnTailAsync(cancellationToken);
        }
    }

    /// <summary>Reads the log from the window's end and appends what is there.</summary>
    private async Task RepairAsync(CancellationToken cancellationToken)
    {
        var more = IsReady;
        while (more)
        {
            var last = Tail.Last;
            var wanted = TierReader.BatchSize(_state.AverageBytes);
            var stored = await _services.Log.ReadAfterAsync(Stream, last, wanted, cancellationToken);
            _services.Gate.Succeeded();
            var events = EncodedEvent.Encode(Stream, stored);
            if (events.Length > 0 && Continuity.Judge(last, events[0]).IsBorder())
            {
                var (between, verified) = await _services.Tiers.ResolveBorderAsync(Stream, last, events[0].Position, cancellationToken);
                events[0] = events[0] with { BorderVerified = verified };
                events = [.. between, .. events];
            }

            more = _state.Take(last, events, stored.Length == wanted);
            _readers.Pulse();
        }
    }
}
