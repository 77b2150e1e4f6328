using System.ComponentModel.DataAnnotations;

namespace AspireStreaming.StreamApi;

/// <summary>Settings of delivery; section <c>Delivery</c>.</summary>
public sealed class DeliveryOptions
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "Delivery";

    /// <summary>Most live connections of this replica; beyond it new ones get 503. 1 to 1,000,000, default 1,000.</summary>
    [Range(1, 1_000_000)]
    public int MaxConnections { get; set; } = 1_000;

    /// <summary>Most streams that this replica follows at once; beyond it new subscriptions get 503. 1 to 1,000,000, default 20,000.</summary>
    [Range(1, 1_000_000)]
    public int MaxFeeds { get; set; } = 20_000;

    /// <summary>Most events in a stream's window; the oldest go first. 16 to 1,000,000, default 4,096.</summary>
    [Range(16, 1_000_000)]
    public int WindowEvents { get; set; } = 4_096;

    /// <summary>Most bytes in a stream's window. 64 KiB to 1 GiB, default 8 MiB.</summary>
    [Range(64L << 10, 1L << 30)]
    public long WindowBytes { get; set; } = 8L << 20;

    /// <summary>Bytes in all windows from which on windows shrink to a few events. 1 MiB to 64 GiB, default 256 MiB.</summary>
    [Range(1L << 20, 64L << 30)]
    public long TotalWindowBytes { get; set; } = 256L << 20;

    /// <summary>Most events that a stream's window starts with, read from the end of the hot log. 0 to 100,000, default 512.</summary>
    [Range(0, 100_000)]
    public int PreloadEvents { get; set; } = 512;

    /// <summary>Silence after which a live connection gets a comment. 20 ms to 5 minutes, default 15 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.020", "00:05:00")]
    public TimeSpan Heartbeat { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How long filtered-out events may move a cursor before the client is told its position. 20 ms to 5 minutes, default 4 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.020", "00:05:00")]
    public TimeSpan PositionInterval { get; set; } = TimeSpan.FromSeconds(4);

    /// <summary>
    /// How long a connection lives, give or take a fifth, until it is drained with the reason <c>lifetime</c>: clients spread over
    /// new replicas, and what went wrong with one connection does not stay so. 100 ms to 7 days, default 30 minutes.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "7.00:00:00")]
    public TimeSpan ConnectionLifetime { get; set; } = TimeSpan.FromMinutes(30);

    /// <summary>
    /// A TCP peer that acknowledges nothing for this long is taken for gone (Linux; elsewhere the system's own time holds, a
    /// quarter of an hour or so). 500 ms to 10 minutes, default 40 s.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.500", "00:10:00")]
    public TimeSpan DeadPeerTimeout { get; set; } = TimeSpan.FromSeconds(40);

    /// <summary>
    /// A write of which the client takes nothing for this long ends the connection, a paused gRPC reader excepted. 100 ms to
    /// 10 minutes, default 30 s.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:10:00")]
    public TimeSpan WriteTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How often the tails of followed streams are compared with the hot log, so that a lost wake is noticed. 50 ms to 1 minute,
    /// default 3 s.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.050", "00:01:00")]
    public TimeSpan TailCheckInterval { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>How long a stream without readers stays followed. 0 to 10 minutes, default 5 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:10:00")]
    public TimeSpan FeedLinger { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How long crossing an unproven epoch border waits for the archive before a gap is announced. 0 to 1 minute, default 5 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:01:00")]
    public TimeSpan BorderPatience { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Most reads from the hot log and the archive at once. 1 to 10,000, default 32.</summary>
    [Range(1, 10_000)]
    public int MaxConcurrentReads { get; set; } = 32;

    /// <summary>
    /// Threads that receive from connections and serve what they receive, on Linux; 0, everywhere else too, leaves connections to the
    /// server's own transport and the thread pool. 0 to 64, default null: one for two processors, 1 to 8.
    /// </summary>
    [Range(0, 64)]
    public int? EventLoops { get; set; }
}
