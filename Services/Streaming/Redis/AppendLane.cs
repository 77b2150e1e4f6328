using StackExchange.Redis;

namespace AspireStreaming.Streaming.Redis;

/// <summary>
/// Sends the appends of one partition. A call goes out at once while few scripts are under way; those that come meanwhile gather and
/// go together in one script, in the order in which they came. So a busy stream costs one script for many requests, and a quiet one
/// waits for nothing. Thread-safe.
/// </summary>
internal sealed class AppendLane(IConnectionMultiplexer redis, TimeSpan timeout, TimeProvider time)
{
    /// <summary>Scripts under way before calls gather: one runs, the next is already there when it ends.</summary>
    private const int MaxInFlight = 2;

    /// <summary>Most requests in one script; it bounds for how long a script holds up everybody else in Redis.</summary>
    private const int MaxRequests = 64;

    /// <summary>Most bytes in one script, the first request aside.</summary>
    private const int MaxBytes = 256 << 10;

    /// <summary>
    /// How many times the time-out a call may wait for its turn and its answer. Its script has the time-out to itself once it is sent,
    /// and where one fails for want of Redis those that wait fail with it; this only bounds the queue.
    /// </summary>
    private const int TurnPatience = 4;

    private readonly Lock _lock = new();
    private readonly Queue<AppendCall> _waiting = new();
    private int _inFlight;

    /// <summary>Sends a call.</summary>
    /// <returns>The script's reply to it.</returns>
    public Task<byte[]> SendAsync(AppendCall call, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (_inFlight == MaxInFlight)
            {
                call.Queued();
                _waiting.Enqueue(call);
                return WaitAsync(call, cancellationToken);
            }

            _inFlight++;
        }

        return SendOneAsync(call, cancellationToken);
    }

    private async Task<byte[]> SendOneAsync(AppendCall call, CancellationToken cancellationToken)
    {
        Exception? failure = null;
        try
        {
            return (byte[])(await redis.GetDatabase().ScriptEvaluateAsync(call.Scripts.Append, [call.Stream], call.Arguments)
                .WaitAsync(timeout, time, cancellationToken).ConfigureAwait(false))!;
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            failure = exception;
            throw;
        }
        finally
        {
            Release(failure);
        }
    }

    private async Task<byte[]> WaitAsync(AppendCall call, CancellationToken cancellationToken)
    {
        try
        {
            return await call.Reply.WaitAsync(TurnPatience * timeout, time, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            call.Abandon();
            throw;
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
            var bytes = 0;
            while (_waiting.TryPeek(out var next))
            {
                if (next.IsAbandoned)
                {
                    _waiting.Dequeue();
                    continue;
                }

                bytes += next.Bytes;
                if (calls is not null && (calls.Count == MaxRequests || bytes > MaxBytes || next.Scripts != calls[0].Scripts))
                {
                    break;
                }

                (calls ??= []).Add(_waiting.Dequeue());
            }

            if (calls is null)
            {
                _inFlight--;
                return;
            }
        }

        _ = SendManyAsync(calls);
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
        Exception? failure = null;
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

            var reply = await redis.GetDatabase().ScriptEvaluateAsync(calls[0].Scripts.Append, keys, arguments)
                .WaitAsync(timeout, time, CancellationToken.None).ConfigureAwait(false);
            var replies = keys.Length == 1 ? [reply] : (RedisResult[])reply!;
            for (var index = 0; index < keys.Length; index++)
            {
                calls[index].Succeeded((byte[])replies[index]!);
            }
        }
        catch (Exception exception)
        {
            failure = exception;
            foreach (var call in calls)
            {
                call.Failed(exception);
            }
        }
        finally
        {
            Release(failure);
        }
    }
}
