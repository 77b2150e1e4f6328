using StackExchange.Redis;

namespace AspireStreaming.Streaming.Redis.Link;

/// <summary>
/// When the client itself tries again to connect: after the waits of <see cref="Backoff"/>, and at once when another connection of the
/// process has come back since its last try.
/// </summary>
internal sealed class RedisReconnectPolicy(TimeProvider time) : IReconnectRetryPolicy
{
    /// <summary>A try younger than this is not given up for another.</summary>
    private static readonly TimeSpan ShortestTry = TimeSpan.FromSeconds(1);

    // One draw for all tries of the process: the client asks again and again during one wait, and it is processes that must differ.
    private readonly double _draw = Random.Shared.NextDouble();
    private long _returnedAt;

    /// <summary>A connection of the process has come back.</summary>
    public void Returned() => Volatile.Write(ref _returnedAt, Math.Max(time.GetTimestamp(), 1));

    public bool ShouldRetry(long currentRetryCount, int timeElapsedMillisecondsSinceLastRetry)
    {
        var elapsed = TimeSpan.FromMilliseconds(timeElapsedMillisecondsSinceLastRetry);
        if (elapsed < ShortestTry)
        {
            return false;
        }

        return elapsed >= Backoff.PauseAfter((int)Math.Min(currentRetryCount, int.MaxValue), _draw)
            || (Volatile.Read(ref _returnedAt) is not 0 and var at && time.GetElapsedTime(at) < elapsed);
    }
}
