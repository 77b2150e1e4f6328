using AspireStreaming.Streaming.Redis.Wire;
using StackExchange.Redis;

namespace AspireStreaming.Streaming.Redis;

/// <summary>
/// Sends the appends of one partition, or those that share a script. A call goes out at once while few scripts are under way; those
/// that come meanwhile gather and go together in one script, in the order in which they came. So much traffic costs one script for
/// many requests, and little waits for nothing. Thread-safe.
/// </summary>
/// <param name="redis">The client library's connection.</param>
/// <param name="direct">The connection that is taken where it is open; null for never.</param>
/// <param name="timeout">How long a script may take.</param>
/// <param name="time">The clock.</param>
/// <param name="enough">
/// How many calls have to wait before a second script is sent beside one that is under way: fewer go when that is answered. What Redis and
/// its client spend on a script is worth more than the time to its answer, as soon as there are many.
/// </param>
internal sealed class AppendLane(IConnectionMultiplexer redis, DirectConnection? direct, TimeSpan timeout, TimeProvider time, int enough)
{
    /// <summary>Scripts under way before calls gather in any case: one runs, the next is already there when it ends.</summary>
    private const int MaxInFlight = 2;

    /// <summary>Most requests in one script; it bounds for how long a script holds up everybody else in Redis.</summary>
    private const int MaxRequests = 64;

    /// <summary>Most bytes in one script, the first request aside.</summary>
    private const int MaxBytes = 256 << 10;

    /// <summary>
    /// How many times the time-out a call may wait for its turn. Its script has the time-out to itself once it is sent, and where one
    /// fails for want of Redis those that wait fail with it; this only bounds the queue.
    /// </summary>
    private const int TurnPatience = 4;

    private readonly Lock _lock = new();
    private readonly Queue<AppendCall> _waiting = new();
    private int _inFlight;

    /// <summary>Sends a call. Whoever cancels one that waits for its turn is told so when that comes; one that is sent is answered.</summary>
    /// <returns>The script's reply to it.</returns>
    public ValueTask<byte[]> SendAsync(AppendCall call, CancellationToken cancellationToken)
    {
        AppendScript? script;
        lock (_lock)
        {
            if (_inFlight == 0 || (_inFlight < MaxInFlight && enough == 1))
            {
                script = new AppendScript(this, call, null);
            }
            else
            {
                call.Queued(time.GetTimestamp(), cancellationToken);
                _waiting.Enqueue(call);
                if (_inFlight == MaxInFlight || _waiting.Count < enough || (script = TakeLocked()) is null)
                {
                    return call.Reply;
                }
            }

            _inFlight++;
        }

        Send(script);
        return call.Reply;
    }

    /// <summary>A script has ended: its place goes to those that wait, or they fail as it did where nobody answers.</summary>
    internal void Release(Exception? failure)
    {
        if (failure is TimeoutException or RedisConnectionException)
        {
            FailWaiting(failure);
        }

        AppendScript? script = null;
        lock (_lock)
        {
            // While another is under way, its end sends what is there by then.
            if (_inFlight == 1 || _waiting.Count >= enough)
            {
                script = TakeLocked();
            }

            if (script is null)
            {
                _inFlight--;
                return;
            }
        }

        Send(script);
    }

    private void Send(AppendScript script)
    {
        if (direct?.Current?.TrySend(script) != true)
        {
            _ = SendByClientAsync(script);
        }
    }

    /// <summary>Sends a script by the client library, which can do so wherever Redis is.</summary>
    private async Task SendByClientAsync(AppendScript script)
    {
        try
        {
            var (keys, arguments) = script.ToValues();
            script.Take(await redis.GetDatabase().ScriptEvaluateAsync(script.Hash, keys, arguments)
                .WaitAsync(timeout, time, CancellationToken.None).ConfigureAwait(false));
        }
        catch (Exception exception)
        {
            script.Fail(exception);
            return;
        }

        // Here is a thread of the pool; but the first of many must not hold up the others.
        script.Complete(inline: script.Callers == 1);
    }

    /// <summary>Takes what goes into the next script.</summary>
    /// <returns>Null when nobody waits.</returns>
    private AppendScript? TakeLocked()
    {
        AppendCall? first = null;
        List<AppendCall>? more = null;
        var bytes = 0;
        while (_waiting.TryPeek(out var next))
        {
            if (next.CancellationToken.IsCancellationRequested)
            {
                _waiting.Dequeue().Abandon();
                continue;
            }

            if (time.GetElapsedTime(next.QueuedAt) > TurnPatience * timeout)
            {
                _waiting.Dequeue().Fail(new TimeoutException("The append has waited too long for its turn."));
                continue;
            }

            bytes += next.Arguments.Bytes;
            if (first is null)
            {
                first = _waiting.Dequeue();
            }
            else if (more?.Count == MaxRequests - 1 || bytes > MaxBytes || next.Script != first.Script)
            {
                break;
            }
            else
            {
                (more ??= []).Add(_waiting.Dequeue());
            }
        }

        return first is null ? null : new AppendScript(this, first, more);
    }

    private void FailWaiting(Exception failure)
    {
        AppendCall[] waiting;
        lock (_lock)
        {
            waiting = [.. _waiting];
            _waiting.Clear();
        }

        foreach (var call in waiting)
        {
            call.Fail(failure);
        }
    }
}
