using System.ComponentModel.DataAnnotations;

namespace AspireStreaming.PublisherApi.Healing;

/// <summary>What a publisher keeps of acknowledged events until they are archived; section <c>Publisher:Healing</c>.</summary>
public sealed class HealingOptions
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "Publisher:Healing";

    /// <summary>
    /// Most bytes of acknowledged events that are kept until the archive has them; the oldest go first, and of their streams only the
    /// last acknowledged position stays. 0 to 16 GiB, default 64 MiB; up to 1 MiB comes on top, for pieces of memory that are not full.
    /// </summary>
    [Range(0, 16L << 30)]
    public long MaxRetainedBytes { get; set; } = 64L << 20;

    /// <summary>Most streams of which that position is kept; 0 to 10,000,000, default 100,000.</summary>
    [Range(0, 10_000_000)]
    public int MaxMarkedStreams { get; set; } = 100_000;

    /// <summary>
    /// How often the partitions of kept events are compared with what was seen of them, so that the loss of a quiet stream is
    /// noticed; 50 ms to 1 minute, default 1 s.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.050", "00:01:00")]
    public TimeSpan CheckInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How long the archive is asked, while a partition heals, which events it has; 10 ms to 30 s, default 1 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:00:30")]
    public TimeSpan ArchiveTimeout { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// How long a graceful stop waits for the archive to have what is kept; 0 to 5 minutes, default 5 s. It ends earlier when the
    /// archive stands still.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:05:00")]
    public TimeSpan StopTimeout { get; set; } = TimeSpan.FromSeconds(5);
}
