using StackExchange.Redis;

namespace AspireStreaming.Streaming.Redis;

/// <summary>
/// Sends the appends of one partition, or those that share a script. A call goes out at once while few scripts are under way; those
/// that come meanwhile gather and go together in one script, in the order in which they came. So much traffic costs one script for
/// many requests, and little waits for nothing. Thread-safe.
/// </summary>
/// <param name="redis">The connection.</param>
/// <param name="timeout">How long a script may take.</param>
/// <param name="time">The clock.</param>
/// <param name="enough">
/// How many calls have to wait before a second script is sent beside one that is under way: fewer go when that is answered. What Redis and
/// its client spend on a script is worth more than the time to its answer, as soon as there are many.
/// </param>
internal sealed class AppendLane(IConnectionMultiplexer redis, TimeSpan timeout, TimeProvider time, int enough)
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
    public Task<byte[]> SendAsync(AppendCall call, CancellationToken cancellationToken)
    {
        List<AppendCall>? calls;
        lock (_lock)
        {
            if (_inFlight == 0 || (_inFlight < MaxInFlight && enough == 1))
            {
                _inFlight++;
                calls = null;
            }
            else
            {
                call.Queued(time.GetTimestamp(), cancellationToken);
                _waiting.Enqueue(call);
                if (_inFlight == MaxInFlight || _waiting.Count < enough || (calls = TakeLocked()) is null)
                {
                    return call.Reply;
                }

                _inFlight++;
            }
        }

        if (calls is null)
        {
            return SendOneAsync(call);
        }

        _ = SendManyAsync(calls);
        return call.Reply;
    }

    private async Task<byte[]> SendOneAsync(AppendCall call)
    {
        Exception? failure = null;
        try
        {
            return (byte[])(await redis.GetDatabase().ScriptEvaluateAsync(call.Script, [call.Stream], call.Arguments)
                .WaitAsync(timeout, time, CancellationToken.None).ConfigureAwait(false))!;
        }
        catch (Exception exception)
        {
            failure = exception;
            throw;
        }
        finally
        {
            Release(failure);
        }
    }

    /// <summary>A script has ended: its place goes to those that wait, or they fail as it did where nobody answers.</summary>
    private void Release(Exception? failure)
    {
        if (failure is TimeoutException or RedisConnectionException)
        {
            FailWaiting(failure);
        }

        List<AppendCall>? calls = null;
        lock (_lock)
        {
            // While another is under way, its end sends what is there by then.
            if (_inFlight == 1 || _waiting.Count >= enough)
            {
                calls = TakeLocked();
            }

            if (calls is null)
            {
                _inFlight--;
                return;
            }
        }

        _ = SendManyAsync(calls);
    }

    /// <summary>Takes what goes into the next script.</summary>
    /// <returns>Null when nobody waits.</returns>
    private List<AppendCall>? TakeLocked()
    {
        List<AppendCall>? calls = null;
        var bytes = 0;
        while (_waiting.TryPeek(out var next))
        {
            if (next.CancellationToken.IsCancellationRequested)
            {
                _waiting.Dequeue().Abandoned();
                continue;
            }

            if (time.GetElapsedTime(next.QueuedAt) > TurnPatience * timeout)
            {
                _waiting.Dequeue().Failed(new TimeoutException("The append has waited too long for its turn."));
                continue;
            }

            bytes += next.Bytes;
            if (calls is not null && (calls.Count == MaxRequests || bytes > MaxBytes || next.Script != calls[0].Script))
            {
                break;
            }

            (calls ??= []).Add(_waiting.Dequeue());
        }

        return calls;
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
            call.Failed(failure);
        }
    }

    private async Task SendManyAsync(List<AppendCall> calls)
    {
        byte[][]? lines = null;
        RedisResult[] replies = [];
        try
        {
            var keys = new RedisKey[calls.Count];
            var arguments = new RedisValue[calls.Sum(static call => call.Arguments.Length)];
            var filled = 0;
            for (var index = 0; index < keys.Length; index++)
            {
                keys[index] = calls[index].Stream;
                calls[index].Arguments.CopyTo(arguments, filled);
                filled += calls[index].Arguments.Length;
            }

            var reply = await redis.GetDatabase().ScriptEvaluateAsync(calls[0].Script, keys, arguments)
                .WaitAsync(timeout, time, CancellationToken.None).ConfigureAwait(false);
            try
            {
                lines = AppendReply.SplitLines((byte[])reply!, keys.Length);
            }
            catch (InvalidCastException)
            {
                // One of them failed, and so the reply is an array; the client library does not tell its kind otherwise.
                replies = (RedisResult[])reply!;
            }
        }
        catch (Exception exception)
        {
            Release(exception);
            foreach (var call in calls)
            {
                call.Failed(exception);
            }

            return;
        }

        // First the next script, so that Redis has something to do while these are answered.
        Release(null);
        for (var index = 0; index < calls.Count; index++)
        {
            if (lines is not null)
            {
                calls[index].Succeeded(lines[index]);
            }
            else
            {
                Complete(calls[index], replies[index]);
            }
        }
    }

    private static void Complete(AppendCall call, RedisResult reply)
    {
        try
        {
            call.Succeeded((byte[])reply!);
        }
        catch (Exception exception)
        {
            // One request's error is its own.
            call.Failed(exception);
        }
    }
}
