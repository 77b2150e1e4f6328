namespace AspireStreaming.Streaming;

/// <summary>
/// Waits between tries: d = 1, 2, 4, 8, 16, then 30 s, each drawn from [d/2, d) so that replicas do not come back together, and none
/// longer than <see cref="Longest"/>. Not thread-safe.
/// </summary>
public sealed class Backoff
{
    /// <summary>No wait is longer: delivery has to be complete within 30 s of a store's return.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromSeconds(25);

    private static readonly double[] Seconds = [1, 2, 4, 8, 16, 30];

    /// <summary>Failures since the last success.</summary>
    public int Failures { get; private set; }

    /// <summary>The wait after a failure.</summary>
    /// <param name="attempt">0 for the first failure in a row.</param>
    public static TimeSpan PauseAfter(int attempt) => PauseAfter(attempt, Random.Shared.NextDouble());

    /// <inheritdoc cref="PauseAfter(int)"/>
    /// <param name="attempt">0 for the first failure in a row.</param>
    /// <param name="draw">Where between the shortest and the longest, from 0 to below 1.</param>
    public static TimeSpan PauseAfter(int attempt, double draw)
    {
        var seconds = Seconds[Math.Clamp(attempt, 0, Seconds.Length - 1)];
        var end = Math.Min(seconds, Longest.TotalSeconds);
        return TimeSpan.FromSeconds((seconds / 2) + ((end - (seconds / 2)) * draw));
    }

    /// <summary>How long to wait after one more failure.</summary>
    public TimeSpan Next() => PauseAfter(Failures++);

    /// <summary>After a success.</summary>
    public void Reset() => Failures = 0;
}
