using AspireStreaming.Streaming;
using AspireStreaming.Streaming.Redis;

namespace AspireStreaming.StreamApi.Delivery;

/// <summary>Waits after a failure at the gate of the store that failed.</summary>
internal sealed class StoreRetry(RedisGate redis, ArchiveGate archive, TimeProvider time)
{
    /// <summary>Waits before the next try.</summary>
    /// <param name="failure">What failed.</param>
    /// <param name="attempt">0 for the first failure in a row.</param>
    /// <param name="cancellationToken">Ends waiting, without an exception.</param>
    public async Task WaitAsync(Exception failure, int attempt, CancellationToken cancellationToken)
    {
        var wait = failure switch
        {
            ArchiveUnavailableException => archive.WaitAsync(attempt, cancellationToken),
            _ when RedisFaults.Classify(failure) != FaultKind.Permanent => redis.WaitAsync(attempt, cancellationToken),

            // That others succeed says nothing about this.
            _ => Task.Delay(Backoff.PauseAfter(attempt), time, cancellationToken),
        };
        await wait.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }
}
