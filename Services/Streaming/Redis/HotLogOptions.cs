using System.ComponentModel.DataAnnotations;

namespace AspireStreaming.Streaming.Redis;

/// <summary>Settings of the hot log that every service shares; section <c>HotLog</c>.</summary>
public sealed class HotLogOptions
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "HotLog";

    /// <summary>How long a client-given event id is remembered; 1 minute to 30 days, default 24 hours. At least this, at most half as long again.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "30.00:00:00")]
    public TimeSpan IdempotencyWindow { get; set; } = TimeSpan.FromHours(24);

    /// <summary>Most ids remembered for a stream in half a window; beyond it they are counted, not remembered. Default 1,000,000.</summary>
    [Range(1, 100_000_000)]
    public int MaxIdsPerStream { get; set; } = 1_000_000;

    /// <summary>How long a command to Redis may take before it counts as failed; 50 ms to 1 minute, default 2 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.050", "00:01:00")]
    public TimeSpan CommandTimeout { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>Most bytes in all archive logs together; beyond it appends are refused. Default 1 GiB; 0 = no limit.</summary>
    [Range(0, long.MaxValue)]
    public long MaxArchiveBacklogBytes { get; set; } = 1L << 30;

    /// <summary>How long a stream stays in Redis once all of it is archived; default 24 hours. Its meta stays twice as long.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "30.00:00:00")]
    public TimeSpan StreamTimeToLive { get; set; } = TimeSpan.FromHours(24);

    /// <summary>Most archived events that a stream keeps in Redis; 100 to 10,000,000, default 100,000.</summary>
    [Range(100, 10_000_000)]
    public int MaxEventsPerStream { get; set; } = 100_000;

    /// <summary>Oldest archived event that a stream keeps in Redis; default 24 hours.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "30.00:00:00")]
    public TimeSpan MaxEventAge { get; set; } = TimeSpan.FromHours(24);

    /// <summary>How long the position of a deleted stream is remembered in Redis; default 48 hours.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "30.00:00:00")]
    public TimeSpan TombstoneTimeToLive { get; set; } = TimeSpan.FromHours(48);

    /// <summary>
    /// How long appends to a partition wait after Redis may have lost some of it, so that every publisher can put back what it holds;
    /// 0 to 1 minute, default 2 s.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:01:00")]
    public TimeSpan HealingPhase { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>
    /// Whether appends to several partitions go to Redis in one script; default true. Never done in a Redis Cluster, whatever this says.
    /// </summary>
    public bool ShareScripts { get; set; } = true;

    /// <summary>
    /// Whether appends go to Redis over a connection of their own beside the client library's; default true. Never with TLS, in a Redis
    /// Cluster, or where several masters are connected, whatever this says.
    /// </summary>
    public bool DirectConnection { get; set; } = true;

    /// <summary>How long the archive is asked about a stream that Redis does not know; 10 ms to 10 s, default 250 ms.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:00:10")]
    public TimeSpan ArchiveLookupTimeout { get; set; } = TimeSpan.FromMilliseconds(250);
}
