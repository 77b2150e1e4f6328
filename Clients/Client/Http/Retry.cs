namespace AspireStreaming.Client.Http;

/// <summary>
/// Repeats a request that is safe to repeat while the service is away or busy: exponential backoff with jitter, at least what
/// <c>Retry-After</c> asks for, given up after a time.
/// </summary>
/// <param name="giveUpAfter">Longest time from a request's first failure; 0 = do not repeat.</param>
/// <param name="time">The clock.</param>
/// <param name="waiting">Told before each wait: the fault and how long.</param>
internal sealed class Retry(TimeSpan giveUpAfter, TimeProvider time, Action<Exception, TimeSpan>? waiting = null)
{
    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(5);

    public async Task<T> RunAsync<T>(Func<CancellationToken, Task<T>> attempt, CancellationToken cancellationToken)
    {
        long? firstFailure = null;
        for (var failures = 1; ; failures++)
        {
            Exception fault;
            try
            {
                return await attempt(cancellationToken);
            }
            catch (Exception exception) when (Faults.IsTransient(exception) && !cancellationToken.IsCancellationRequested)
            {
                fault = exception;
            }

            firstFailure ??= time.GetTimestamp();
            var left = giveUpAfter - time.GetElapsedTime(firstFailure.Value);
            if (left <= TimeSpan.Zero)
            {
                throw new ServiceUnreachableException($"gave up after {giveUpAfter.TotalSeconds:0.#} s: {Faults.Describe(fault)}", fault);
            }

            var delay = Delay(failures, FirstDelay, LongestDelay, (fault as ApiException)?.RetryAfter);
            if (delay > left)
            {
                delay = left;
            }

            waiting?.Invoke(fault, delay);
            await Task.Delay(delay, time, cancellationToken);
        }
    }

    /// <summary>
    /// The wait after the n-th failure in a row: drawn from the upper half of the doubled delay, never below the hint, which many get
    /// at once and so is spread upwards.
    /// </summary>
    public static TimeSpan Delay(int failures, TimeSpan first, TimeSpan longest, TimeSpan? hint)
    {
        var full = first * Math.Pow(2, Math.Min(failures - 1, 16));
        var delay = (full < longest ? full : longest) * (0.5 + (Random.Shared.NextDouble() / 2));
        return hint > delay ? hint.Value * (1 + (Random.Shared.NextDouble() / 4)) : delay;
    }
}
