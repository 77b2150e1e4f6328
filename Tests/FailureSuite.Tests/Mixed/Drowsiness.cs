using AspireStreaming.SystemSupport;

namespace AspireStreaming.FailureSuite.Tests.Mixed;

/// <summary>
/// The pace of a slow reader: now and then it reads nothing for a while, so that it falls behind the window and the hot log, and then
/// it catches up. When the load ends it stays awake.
/// </summary>
internal sealed class Drowsiness(Random random, CancellationToken awake)
{
    private const double MinSeconds = 5;
    private const double MaxSeconds = 25;

    private long _awakeSince = TimeProvider.System.GetTimestamp();
    private TimeSpan _next = Draw(random) / 2;

    public async Task PaceAsync(CancellationToken cancellationToken)
    {
        if (awake.IsCancellationRequested || TimeProvider.System.GetElapsedTime(_awakeSince) < _next)
        {
            return;
        }

        using var either = CancellationTokenSource.CreateLinkedTokenSource(awake, cancellationToken);
        await Pause.ForAsync(Draw(random), either.Token);
        _next = Draw(random);
        _awakeSince = TimeProvider.System.GetTimestamp();
    }

    private static TimeSpan Draw(Random random) => TimeSpan.FromSeconds(MinSeconds + (random.NextDouble() * (MaxSeconds - MinSeconds)));
}
