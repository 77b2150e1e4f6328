using System.Runtime.CompilerServices;

namespace AspireStreaming.TestSupport;

/// <summary>Waits for a condition that nothing announces; the only way in which tests may wait for time.</summary>
public static class Eventually
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(20);

    /// <inheritdoc cref="TrueAsync(Func{Task{bool}}, TimeSpan, string, CancellationToken, string, string, int)"/>
    public static Task TrueAsync(
        Func<bool> condition,
        TimeSpan deadline,
        string what,
        CancellationToken cancellationToken,
        [CallerMemberName] string caller = "",
        [CallerFilePath] string file = "",
        [CallerLineNumber] int line = 0) =>
        TrueAsync(() => Task.FromResult(condition()), deadline, what, cancellationToken, caller, file, line);

    /// <summary>
    /// Asks every 20 ms until the answer is yes. The deadline also bounds a condition that itself hangs; what a condition
    /// throws ends the wait.
    /// </summary>
    /// <remarks>
    /// <paramref name="what"/> is the condition in words, for the failure's message: "the archive holds 3 events". The condition is
    /// asked at once, then after each interval, never twice at a time.
    /// </remarks>
    /// <exception cref="TimeoutException">The deadline passed; the message names the condition and the caller.</exception>
    public static async Task TrueAsync(
        Func<Task<bool>> condition,
        TimeSpan deadline,
        string what,
        CancellationToken cancellationToken,
        [CallerMemberName] string caller = "",
        [CallerFilePath] string file = "",
        [CallerLineNumber] int line = 0)
    {
        using var expiry = new CancellationTokenSource(deadline, TimeProvider.System);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(expiry.Token, cancellationToken);
        using var timer = new PeriodicTimer(PollInterval, TimeProvider.System);
        var polls = 0;
        try
        {
            do
            {
                polls++;
                if (await condition().WaitAsync(either.Token))
                {
                    return;
                }
            }
            while (await timer.WaitForNextTickAsync(either.Token));
        }
        catch (OperationCanceledException) when (expiry.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException(
                $"Not within {deadline.TotalSeconds:0.###} s: {what} (asked {polls} times; {caller} in {Path.GetFileName(file)}:{line}).");
        }
    }
}
