namespace AspireStreaming.Streaming.Redis;

/// <summary>
/// Where everybody waits who was refused by a store: with growing pauses, which end at once when somebody else succeeds. Thread-safe.
/// </summary>
public class RetryGate(TimeProvider time)
{
    private TaskCompletionSource _reopened = New();
    private int _failing;

    /// <summary>Whether the last attempt failed.</summary>
    public bool IsFailing => Volatile.Read(ref _failing) != 0;

    /// <summary>An attempt succeeded.</summary>
    public void Succeeded()
    {
        if (IsFailing)
        {
            Open();
        }
    }

    /// <summary>An attempt failed: waits before the next.</summary>
    /// <param name="attempt">0 for the first failure in a row.</param>
    /// <param name="cancellationToken">Ends waiting.</param>
    public Task WaitAsync(int attempt, CancellationToken cancellationToken) => WaitAsync(Backoff.PauseAfter(attempt), cancellationToken);

    /// <summary>An attempt failed: waits before the next, at most for a time.</summary>
    /// <exception cref="OperationCanceledException">The wait was ended.</exception>
    public async Task WaitAsync(TimeSpan atMost, CancellationToken cancellationToken)
    {
        // Taken before the flag is set, so that a success in between is not missed.
        var reopened = Volatile.Read(ref _reopened).Task;
        Volatile.Write(ref _failing, 1);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await Task.WhenAny(reopened, Task.Delay(atMost, time, end.Token)).ConfigureAwait(false);
        await end.CancelAsync().ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
    }

    /// <summary>Ends all waits.</summary>
    protected void Open()
    {
        Volatile.Write(ref _failing, 0);
        Interlocked.Exchange(ref _reopened, New()).TrySetResult();
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
