namespace AspireStreaming.EventArchiver.Archiving;

/// <summary>Waits between tries: 1, 2, 4, 8, 16, then 30 s, each drawn from its second half so that replicas do not come back together.</summary>
internal sealed class Backoff
{
    private static readonly double[] Seconds = [1, 2, 4, 8, 16, 30];

    private int _failures;

    /// <summary>How long to wait after one more failure.</summary>
    public TimeSpan Next()
    {
        var longest = Seconds[Math.Min(_failures, Seconds.Length - 1)];
        _failures++;
        return TimeSpan.FromSeconds(longest * (0.5 + (Random.Shared.NextDouble() / 2)));
    }

    /// <summary>After a success.</summary>
    public void Reset() => _failures = 0;
}
