using System.ComponentModel.DataAnnotations;

namespace AspireStreaming.PublisherApi.Appending;

/// <summary>Retries and circuit breaker around Redis; section <c>Publisher:Redis</c>.</summary>
public sealed class RedisResilienceOptions
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "Publisher:Redis";

    /// <summary>How often one append is tried in all; 1 to 10, default 3.</summary>
    [Range(1, 10)]
    public int Tries { get; set; } = 3;

    /// <summary>The wait before the first retry, doubled for each further one, with jitter; 1 ms to 10 s, default 100 ms.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "00:00:10")]
    public TimeSpan RetryDelay { get; set; } = TimeSpan.FromMilliseconds(100);

    /// <summary>The longest wait before a retry; 1 ms to 1 minute, default 1 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "00:01:00")]
    public TimeSpan MaxRetryDelay { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Tries that must fail one after another for the circuit to open; 1 to 1,000, default 5.</summary>
    [Range(1, 1000)]
    public int BreakAfterFailures { get; set; } = 5;

    /// <summary>How long the circuit stays open before one try is let through; 50 ms to 10 minutes, default 5 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.050", "00:10:00")]
    public TimeSpan BreakDuration { get; set; } = TimeSpan.FromSeconds(5);
}
