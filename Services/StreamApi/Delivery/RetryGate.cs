namespace AspireStreaming.StreamApi.Delivery;

/// <summary>
/// Where everybody waits who was refused by a store: with growing pauses, which end at once when somebody else succeeds.
/// </summary>
internal class RetryGate(TimeProvider time)
{
    private static readonly TimeSpan[] Pauses = [.. new[] { 1, 2, 4, 8, 16, 25 }.Select(seconds => TimeSpan.FromSeconds(seconds))];

    private TaskCompletionSource _reopened = new(TaskCreationOptions.RunContinuationsAsynchronously);
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
    public async Task WaitAsync(int attempt, CancellationToken cancellationToken)
    {
        var reopened = Volatile.Read(ref _reopened);
        Volatile.Write(ref _failing, 1);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await Task.WhenAny(reopened.Task, Task.Delay(PauseAfter(attempt), time, end.Token));
        await end.CancelAsync();
        cancellationToken.ThrowIfCancellationRequested();
    }

    /// <summary>The pause after a failure: d = 1, 2, 4, 8, 16, 25 s, drawn from [d/2, d).</summary>
    public static TimeSpan PauseAfter(int attempt)
    {
        var pause = Pauses[Math.Min(attempt, Pauses.Length - 1)];
        return (pause / 2) + (pause / 2 * Random.Shared.NextDouble());
    }

    /// <summary>Ends all waits.</summary>
    protected void Open()
    {
        Volatile.Write(ref _failing, 0);
        Interlocked.Exchange(ref _reopened, new(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
    }
}
