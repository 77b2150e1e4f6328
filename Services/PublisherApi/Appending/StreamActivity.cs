using System.Collections.Concurrent;
using AspireStreaming.ServiceDefaults.Health;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;

namespace AspireStreaming.PublisherApi.Appending;

/// <summary>What this replica has seen of streams and runs, for <c>/health</c>. Bounded; counts, not look-ups.</summary>
internal sealed class StreamActivity(TimeProvider time) : IHealthDetails
{
    /// <summary>
    /// Most streams remembered as running; beyond it idle ones are forgotten, and if none is idle, new ones not followed.
    /// </summary>
    private const int MaxStreams = 10_000;

    private static readonly TimeSpan IdleAfter = TimeSpan.FromMinutes(10);

    private readonly ConcurrentDictionary<string, long> _running = new(StringComparer.Ordinal);
    private readonly Lock _pruning = new();
    private long _prunedAt;
    private long _events;
    private long _requests;
    private long _completed;
    private long _failed;
    private long _cancelled;
    private long _ended;

    public StreamHealth Stream
    {
        get
        {
            Prune();
            var streams = _running.Count;
            return new StreamHealth(
                ActiveConnections: Interlocked.Read(ref _requests),
                TotalMessages: Interlocked.Read(ref _events),
                TotalStreams: streams,
                HealthyStreams: streams);
        }
    }

    public WorkflowHealth Workflows
    {
        get
        {
            long running = _running.Count, completed = Interlocked.Read(ref _completed), failed = Interlocked.Read(ref _failed),
                cancelled = Interlocked.Read(ref _cancelled), ended = Interlocked.Read(ref _ended);
            return new WorkflowHealth(running + completed + failed + cancelled + ended, running, completed, failed, cancelled);
        }
    }

    public void RequestStarted() => Interlocked.Increment(ref _requests);

    public void RequestEnded() => Interlocked.Decrement(ref _requests);

    public void Appended(AppendRequest request, AppendResult result)
    {
        if (result.Accepted == 0)
        {
            return;
        }

        Interlocked.Add(ref _events, result.Accepted);
        var last = request.Events[^1];
        if (last.Flags.HasFlag(EventFlags.Terminal))
        {
            _running.TryRemove(request.Stream, out _);
            Interlocked.Increment(ref CounterOf(StreamStates.AfterTerminal(last.Type)));
            return;
        }

        var now = time.GetTimestamp();
        if (_running.TryGetValue(request.Stream, out var at))
        {
            // A second is fine enough for what idles for minutes.
            if (time.GetElapsedTime(at, now) > TimeSpan.FromSeconds(1))
            {
                _running.TryUpdate(request.Stream, now, at);
            }
        }
        else if (_running.Count < MaxStreams)
        {
            _running[request.Stream] = now;
        }
        else
        {
            Prune();
        }
    }

    public void Deleted(string stream) => _running.TryRemove(stream, out _);

    private ref long CounterOf(string state)
    {
        switch (state)
        {
            case StreamStates.Completed:
                return ref _completed;
            case StreamStates.Failed:
                return ref _failed;
            case StreamStates.Cancelled:
                return ref _cancelled;
            default:
                return ref _ended;
        }
    }

    /// <summary>Forgets idle streams, at most once in ten seconds.</summary>
    private void Prune()
    {
        if (!_pruning.TryEnter())
        {
            return;
        }

        try
        {
            if (_prunedAt != 0 && time.GetElapsedTime(_prunedAt) < TimeSpan.FromSeconds(10))
            {
                return;
            }

            _prunedAt = time.GetTimestamp();
            foreach (var entry in _running)
            {
                if (time.GetElapsedTime(entry.Value) > IdleAfter)
                {
                    _running.TryRemove(entry);
                }
            }
        }
        finally
        {
            _pruning.Exit();
        }
    }
}
