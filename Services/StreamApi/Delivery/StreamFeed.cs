using System.Collections.Concurrent;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;
using StackExchange.Redis;

namespace AspireStreaming.StreamApi.Delivery;

/// <summary>
/// One stream that has readers here: its wake channel, its window and its readers' signals. It lives as long as it has readers,
/// and a few seconds more.
/// </summary>
/// <remarks>
/// 1. It subscribes to the wake channel, 2. learns the tail and loads the newest events, 3. appends what wakes bring if position
/// arithmetic says that it comes next, 4. else reads the log from the window's end (repair). Steps 1, 2 and 4 run in one worker at a
/// time, which goes on until they succeed; step 3 in the threads that Redis's messages come on.
/// </remarks>
internal sealed class StreamFeed : IThreadPoolWorkItem, IAsyncDisposable
{
    /// <summary>Readers whom the thread that appends wakes itself; more of them are woken by a work item of their own.</summary>
    private const int InlineReaders = 4;

    private const int MaxPendingBatches = 256;

    /// <summary>How long a wake that came early waits for the one before it, until the log is read.</summary>
    private static readonly TimeSpan ReorderPatience = TimeSpan.FromMilliseconds(5);

    /// <summary>How long a tail that is behind the log may still be on its way.</summary>
    private static readonly TimeSpan WakePatience = TimeSpan.FromMilliseconds(100);

    private readonly FeedServices _services;
    private readonly RedisChannel _channel;
    private readonly Action<RedisChannel, RedisValue> _handler;
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ConcurrentDictionary<(StreamPosition Cursor, TierSet Tiers), Task<TierRead>> _reads = new();
    private readonly Lock _lock = new();
    private readonly StreamWindow _window;
    private readonly SortedDictionary<StreamPosition, EncodedEvent[]> _early = [];
    private readonly HashSet<DeliverySignal> _readers = [];
    private DeliverySignal[]? _readersSnapshot;
    private StreamEnd? _end;
    private StreamEnd? _deletion;
    private int _deletions;
    private long _averageBytes;
    private bool _tailUnknown;
    private bool _failing;
    private Work _requested = Work.Start;
    private Task _worker = Task.CompletedTask;
    private bool _working;
    private int _pulses;

    public StreamFeed(string stream, FeedServices services)
    {
        Stream = stream;
        Partition = StreamName.PartitionOf(stream);
        _services = services;
        _channel = new RedisChannel(StreamKeys.WakeChannel(stream), RedisChannel.PatternMode.Literal);
        _handler = OnWake;
        _window = new StreamWindow(services.Options.WindowEvents, services.Options.WindowBytes, services.Budget);
    }

    [Flags]
    private enum Work
    {
        None = 0,
        Start = 1,
        Subscribe = 2,
        Repair = 4,
        ConfirmTail = 8,
    }

    /// <summary>The stream's name.</summary>
    public string Stream { get; }

    /// <summary>Its partition.</summary>
    public int Partition { get; }

    /// <summary>Completes when the tail is known for the first time.</summary>
    public Task Ready => _ready.Task;

    /// <summary>Whether the tail is known.</summary>
    public bool IsReady => _ready.Task.IsCompletedSuccessfully;

    /// <summary>Whether it keeps up with the hot log, as far as it knows.</summary>
    public bool IsHealthy => IsReady && !Volatile.Read(ref _failing);

    /// <summary>Number of readers.</summary>
    public int Readers
    {
        get
        {
            lock (_lock)
            {
                return _readers.Count;
            }
        }
    }

    /// <summary>The last position known here, and how the stream ended if it has.</summary>
    public (StreamPosition Last, StreamEnd? End) Tail
    {
        get
        {
            lock (_lock)
            {
                return (_window.Last, _end);
            }
        }
    }

    /// <summary>How often the stream was deleted while it was followed.</summary>
    public int Deletions => Volatile.Read(ref _deletions);

    /// <summary>Begins to follow the stream.</summary>
    public void Start() => Request(Work.Start);

    /// <summary>Adds a reader's signal.</summary>
    public void Join(DeliverySignal reader)
    {
        lock (_lock)
        {
            _readers.Add(reader);
            _readersSnapshot = null;
        }
    }

    /// <summary>Removes a reader's signal.</summary>
    public void Leave(DeliverySignal reader)
    {
        lock (_lock)
        {
            _readers.Remove(reader);
            _readersSnapshot = null;
        }
    }

    /// <summary>Copies the events after a cursor from the window.</summary>
    /// <param name="cursor">What the reader has had.</param>
    /// <param name="into">Receives the events.</param>
    /// <param name="bytes">Most bytes, but at least one event.</param>
    /// <param name="count">Number of events copied.</param>
    /// <param name="deletionsSeen"><see cref="Deletions"/> when the reader came; an earlier one does not concern it.</param>
    /// <param name="end">At the tail: how the stream ended, if it has.</param>
    public WindowRead Read(
        StreamPosition cursor, Span<EncodedEvent?> into, long bytes, int deletionsSeen, out int count, out StreamEnd? end)
    {
        lock (_lock)
        {
            var read = _window.Read(cursor, into, bytes, out count);
            end = read == WindowRead.Found ? null
                : _deletion is not null && _deletions > deletionsSeen ? _deletion
                : _end;
            return read;
        }
    }

    /// <summary>
    /// Reads what follows a cursor from the log or the archive, however long it takes; readers at the same position share one read.
    /// </summary>
    public Task<TierRead> ReadTiersAsync(StreamPosition cursor, TierSet tiers)
    {
        if (_reads.TryGetValue((cursor, tiers), out var running))
        {
            return running;
        }

        var start = new TaskCompletionSource<TierRead>(TaskCreationOptions.RunContinuationsAsynchronously);
        running = _reads.GetOrAdd((cursor, tiers), start.Task);
        if (running == start.Task)
        {
            _ = CompleteReadAsync(cursor, tiers, start);
        }

        return running;
    }

    /// <summary>Compares the tail with the hot log's meta.</summary>
    public void OnTailChecked(StreamMeta? meta)
    {
        var work = Work.None;
        var deleted = false;
        lock (_lock)
        {
            if (!_ready.Task.IsCompleted)
            {
                return;
            }

            if (meta is { Deleted: true })
            {
                deleted = TryDeleteLocked(meta.Last);
            }
            else if (meta is not null && meta.Last > _window.Last)
            {
                work = Work.ConfirmTail;
            }
            else if (_tailUnknown)
            {
                work = Work.Start;
            }
        }

        if (deleted)
        {
            Pulse();
        }

        if (work != Work.None)
        {
            Request(work);
        }
    }

    /// <summary>Somebody has seen a later tail than this feed; the wake that tells of it may be on its way, or lost.</summary>
    public void Expect() => Request(Work.ConfirmTail);

    /// <summary>Subscribes again; the subscription may have died unnoticed.</summary>
    public void Resubscribe() => Request(Work.Subscribe | Work.Repair);

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
        try
        {
            await _services.Redis.GetSubscriber().UnsubscribeAsync(_channel, _handler)
                .WaitAsync(TimeSpan.FromSeconds(1), _services.Time, CancellationToken.None);
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException or ObjectDisposedException)
        {
            // The connection is gone, and the subscription with it.
        }

        lock (_lock)
        {
            _window.Reset(_window.Last);
        }

        _stop.Dispose();
    }

    /// <summary>Wakes all readers; one pass serves all appends that came before it.</summary>
    void IThreadPoolWorkItem.Execute()
    {
        int served;
        do
        {
            served = Volatile.Read(ref _pulses);
            foreach (var reader in Snapshot())
            {
                reader.Set();
            }
        }
        while (Interlocked.Add(ref _pulses, -served) > 0);
    }

    private void Pulse()
    {
        var readers = Snapshot();
        if (readers.Length <= InlineReaders)
        {
            foreach (var reader in readers)
            {
                reader.Set();
            }
        }
        else if (Interlocked.Increment(ref _pulses) == 1)
        {
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }
    }

    private DeliverySignal[] Snapshot()
    {
        lock (_lock)
        {
            return _readersSnapshot ??= [.. _readers];
        }
    }

    private void OnWake(RedisChannel channel, RedisValue message)
    {
        try
        {
            var wake = WakeMessage.Parse((byte[])message!);
            _services.Metrics.Wakes.Add(1);
            switch (wake.Kind)
            {
                case WakeKind.Deleted:
                    OnDeleted(wake.Batch.First);
                    break;
                case WakeKind.AppendedToLog:
                    OnAppendedToLog(wake.Batch);
                    break;
                default:
                    Offer(EncodedEvent.Encode(Stream, wake.Batch.ReadEvents()));
                    break;
            }
        }
        catch (Exception exception) when (exception is InvalidDataException or FormatException)
        {
            StreamApiLog.DamagedWake(_services.Logger, Stream, exception);
            Request(Work.Repair);
        }
    }

    private void OnDeleted(StreamPosition position)
    {
        lock (_lock)
        {
            if (!_ready.Task.IsCompleted || !TryDeleteLocked(position))
            {
                return;
            }
        }

        Pulse();
    }

    /// <summary>Forgets what was deleted; readers who were there learn of it at the tail.</summary>
    private bool TryDeleteLocked(StreamPosition position)
    {
        if (_deletion is not null || _window.Last.IsZero || position < _window.Last)
        {
            return false;
        }

        _end = null;
        _deletion = new StreamEnd(StreamStates.DeletedType, _window.Last);
        Volatile.Write(ref _deletions, _deletions + 1);
        _window.Reset(_window.Last);
        return true;
    }

    private void OnAppendedToLog(in LogBatch batch)
    {
        lock (_lock)
        {
            if (_ready.Task.IsCompleted && batch.Last <= _window.Last)
            {
                return;
            }
        }

        Request(Work.Repair);
    }

    /// <summary>Takes the events of one append: into the window if they come next, aside if something before them is on its way.</summary>
    internal void Offer(EncodedEvent[] events)
    {
        var appended = false;
        var repair = false;
        lock (_lock)
        {
            if (_ready.Task.IsCompleted)
            {
                appended = AppendLocked(events, out var complete);
                appended |= TakeEarlyLocked();
                repair = !complete || _early.Count > 0;
                if (complete)
                {
                    events = [];
                }
            }

            if (events.Length > 0)
            {
                if (_early.Count >= MaxPendingBatches)
                {
                    // They are in the log all the same.
                    _early.Clear();
                }

                _early[events[0].Position] = events;
            }
        }

        if (repair)
        {
            Request(Work.Repair);
        }

        if (appended)
        {
            Pulse();
        }
    }

    /// <summary>Appends those of the events that follow one another from the window's end; those it has already are passed over.</summary>
    private bool AppendLocked(ReadOnlySpan<EncodedEvent> events, out bool complete)
    {
        var appended = false;
        foreach (var item in events)
        {
            if (item.Position <= _window.Last)
            {
                continue;
            }

            if (!Continuity.Judge(_window.Last, item).IsContinuous())
            {
                complete = false;
                return appended;
            }

            PutLocked(item);
            appended = true;
        }

        complete = true;
        return appended;
    }

    private void PutLocked(EncodedEvent item)
    {
        _window.Append(item);
        _averageBytes = _averageBytes == 0 ? item.Size : ((_averageBytes * 15) + item.Size) / 16;
        _end = item.IsTerminal ? item.ToEnd() : null;
        _deletion = null;
        _tailUnknown = false;
    }

    private bool TakeEarlyLocked()
    {
        var appended = false;
        while (_early.Count > 0)
        {
            var (first, events) = _early.First();
            appended |= AppendLocked(events, out var complete);
            if (!complete)
            {
                break;
            }

            _early.Remove(first);
        }

        return appended;
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
                if (work.HasFlag(Work.Subscribe) || (work.HasFlag(Work.Start) && !IsReady))
                {
                    await SubscribeAsync(work.HasFlag(Work.Subscribe), stop);
                }

                if (work.HasFlag(Work.Start))
                {
                    await LearnTailAsync(stop);
                }

                if (work.HasFlag(Work.ConfirmTail))
                {
                    await ConfirmTailAsync(stop);
                }

                if (work.HasFlag(Work.Repair))
                {
                    await Task.Delay(ReorderPatience, _services.Time, stop);
                    await RepairAsync(stop);
                }

                failures = 0;
                Volatile.Write(ref _failing, false);
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                lock (_lock)
                {
                    _working = false;
                }

                return;
            }
            catch (Exception exception)
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

                await _services.Retry.WaitAsync(exception, failures++, stop);
            }
        }
    }

    private async Task SubscribeAsync(bool again, CancellationToken cancellationToken)
    {
        var subscriber = _services.Redis.GetSubscriber();
        if (again)
        {
            await subscriber.UnsubscribeAsync(_channel, _handler).WaitAsync(TimeSpan.FromSeconds(2), _services.Time, cancellationToken);
        }

        try
        {
            await subscriber.SubscribeAsync(_channel, _handler).WaitAsync(TimeSpan.FromSeconds(2), _services.Time, cancellationToken);
        }
        catch
        {
            // The client remembers the handler even when the command failed; the next try must not add it twice.
            lock (_lock)
            {
                _requested |= Work.Subscribe;
            }

            throw;
        }
    }

    private async Task LearnTailAsync(CancellationToken cancellationToken)
    {
        var loaded = await LoadNewestAsync(cancellationToken);
        StreamTail tail;
        var unknown = false;
        try
        {
            tail = await _services.Tiers.ReadTailAsync(Stream, TierSet.All, cancellationToken);
        }
        catch (ArchiveUnavailableException)
        {
            // Redis does not know the stream and nobody else can be asked: go live, and ask again with the tail check.
            tail = await _services.Tiers.ReadTailAsync(Stream, TierSet.Log, cancellationToken);
            unknown = true;
        }

        bool repair;
        lock (_lock)
        {
            _tailUnknown = unknown;
            if (_ready.Task.IsCompleted && _window.Last >= tail.Last)
            {
                return;
            }

            if (loaded.Length == 0)
            {
                _window.Reset(tail.Last);
            }
            else if (!_ready.Task.IsCompleted)
            {
                _window.Reset(Continuity.Before(loaded[0]));
                foreach (var item in loaded)
                {
                    PutLocked(item);
                }
            }

            if (_window.Last == tail.Last)
            {
                _end ??= tail.End;
            }

            repair = _window.Last < tail.Last;
            _ready.TrySetResult();
            TakeEarlyLocked();
            repair |= _early.Count > 0;
        }

        if (repair)
        {
            Request(Work.Repair);
        }

        Pulse();
    }

    /// <summary>The newest events of the hot log, oldest first, back to the first hole or bound.</summary>
    private async Task<EncodedEvent[]> LoadNewestAsync(CancellationToken cancellationToken)
    {
        var newest = new List<EncodedEvent>();
        var bytes = 0L;
        StreamPosition? before = null;
        while (newest.Count < _services.Options.PreloadEvents && bytes < 1 << 20)
        {
            var wanted = TierReader.BatchSize(newest.Count == 0 ? 0 : bytes / newest.Count);
            var page = await _services.Tiers.ReadBeforeAsync(Stream, before, TierSet.Log, wanted, cancellationToken);
            foreach (var item in page)
            {
                if (newest.Count > 0 && !Continuity.Judge(item.Position, newest[^1]).IsContinuous())
                {
                    newest.Reverse();
                    return [.. newest];
                }

                newest.Add(item);
                bytes += item.Size;
            }

            if (page.Length < wanted)
            {
                break;
            }

            before = newest[^1].Position;
        }

        newest.Reverse();
        return [.. newest];
    }

    /// <summary>The log seems to be ahead. The wake may be on its way; if it does not come, it is lost, and perhaps the subscription with it.</summary>
    private async Task ConfirmTailAsync(CancellationToken cancellationToken)
    {
        var (last, _) = Tail;
        await Task.Delay(WakePatience, _services.Time, cancellationToken);
        if (Tail.Last == last && (await _services.Log.ReadAfterAsync(Stream, last, 1, cancellationToken)).Length > 0 && Tail.Last == last)
        {
            _services.Metrics.LostWakes.Add(1);
            StreamApiLog.WakeLost(_services.Logger, Stream, last);
            await SubscribeAsync(again: true, cancellationToken);
            await RepairAsync(cancellationToken);
        }
        else if (Tail.Last == last)
        {
            await LearnTailAsync(cancellationToken);
        }
    }

    /// <summary>Reads the log from the window's end and appends what is there.</summary>
    private async Task RepairAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            StreamPosition last;
            lock (_lock)
            {
                if (!_ready.Task.IsCompleted)
                {
                    return;
                }

                last = _window.Last;
            }

            var wanted = TierReader.BatchSize(_averageBytes);
            var stored = await _services.Log.ReadAfterAsync(Stream, last, wanted, cancellationToken);
            _services.Gate.Succeeded();
            var events = EncodedEvent.Encode(Stream, stored);
            if (events.Length > 0 && Continuity.Judge(last, events[0]) == Link.UnprovenBorder)
            {
                var (between, verified) = await _services.Tiers.ResolveBorderAsync(Stream, last, events[0].Position, cancellationToken);
                events[0] = events[0] with { BorderVerified = verified };
                events = [.. between, .. events];
            }

            if (!Take(last, events, stored.Length == wanted))
            {
                return;
            }
        }
    }

    /// <summary>Appends what a repair read.</summary>
    /// <returns>Whether to read on.</returns>
    internal bool Take(StreamPosition after, ReadOnlySpan<EncodedEvent> events, bool more)
    {
        lock (_lock)
        {
            if (_window.Last != after)
            {
                // Wakes have filled the hole meanwhile.
                more = true;
            }
            else if (events.IsEmpty)
            {
                // What was put aside is not in the log: it has been wiped or trimmed since.
                _early.Clear();
                more = false;
            }
            else
            {
                var first = events[0];
                if (Continuity.Judge(after, first) == Link.Hole)
                {
                    // Readers that stand before the hole go to the slower tiers, which know or announce what is missing.
                    _window.Reset(Continuity.Before(first));
                }

                PutLocked(first);
                AppendLocked(events[1..], out var complete);
                TakeEarlyLocked();
                more |= !complete || _early.Count > 0;
            }
        }

        Pulse();
        return more;
    }

    private async Task CompleteReadAsync(StreamPosition cursor, TierSet tiers, TaskCompletionSource<TierRead> completion)
    {
        var stop = _stop.Token;
        for (var failures = 0; ; failures++)
        {
            try
            {
                EncodedEvent? windowFirst;
                lock (_lock)
                {
                    windowFirst = tiers.HasFlag(TierSet.Log) ? _window.First : null;
                }

                var read = await _services.Tiers.ReadAsync(Stream, cursor, tiers, windowFirst, TierReader.BatchSize(_averageBytes), stop);
                if (cursor.IsZero && read is { Source: Tier.Log, Before: null, Events.Length: > 0 })
                {
                    lock (_lock)
                    {
                        _window.ClaimStart();
                    }
                }

                _services.Metrics.TierReads.Add(1, new KeyValuePair<string, object?>("tier", read.Source == Tier.Archive ? "archive" : "log"));
                _reads.TryRemove((cursor, tiers), out _);
                completion.SetResult(read);
                return;
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                _reads.TryRemove((cursor, tiers), out _);
                completion.SetCanceled(stop);
                return;
            }
            catch (Exception exception)
            {
                // Readers stay connected and wait; which tier is away is in the log once.
                if (failures == 0)
                {
                    StreamApiLog.ReadFailed(_services.Logger, Stream, cursor, exception);
                }

                await _services.Retry.WaitAsync(exception, failures, stop);
            }
        }
    }
}
