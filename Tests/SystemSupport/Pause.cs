namespace AspireStreaming.SystemSupport;

/// <summary>The pauses of clients between two tries, and how long a fault lasts: time that is part of the test, not a wait for something.</summary>
public static class Pause
{
    /// <summary>Waits; ends early, without an exception, when cancelled.</summary>
    public static async Task ForAsync(TimeSpan time, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(time, TimeProvider.System);
        try
        {
            await timer.WaitForNextTickAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            // Stopped while waiting.
        }
    }
}
