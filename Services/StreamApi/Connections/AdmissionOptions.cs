using System.ComponentModel.DataAnnotations;

namespace AspireStreaming.StreamApi.Connections;

/// <summary>Who may connect; section <c>Admission</c>. How many connections there may be at all is <c>Delivery:MaxConnections</c>.</summary>
public sealed class AdmissionOptions
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "Admission";

    /// <summary>
    /// Most live connections of one client address (an IPv6 network of 64 bits counts as one address); beyond it new ones get 429.
    /// 1 to 1,000,000, default 100.
    /// </summary>
    [Range(1, 1_000_000)]
    public int MaxConnectionsPerAddress { get; set; } = 100;

    /// <summary>Attempts a second that an address may go on making; beyond it they get 429. 0.01 to 100,000, default 20.</summary>
    [Range(0.01, 100_000)]
    public double AttemptsPerSecond { get; set; } = 20;

    /// <summary>Attempts that an address may make at once after a quiet time. 1 to 1,000,000, default 200.</summary>
    [Range(1, 1_000_000)]
    public int AttemptBurst { get; set; } = 200;

    /// <summary>
    /// Most addresses that attempts are remembered of; beyond it those without connections are forgotten, which gives them a fresh
    /// burst. 16 to 10,000,000, default 50,000.
    /// </summary>
    [Range(16, 10_000_000)]
    public int MaxAddresses { get; set; } = 50_000;

    /// <summary>Whether the limits per address hold for loopback addresses too. Default false: there the development proxy connects.</summary>
    public bool LimitLoopback { get; set; }

    /// <summary>
    /// Proxies whose <c>X-Forwarded-For</c> names the client: addresses, or networks such as <c>10.0.0.0/8</c>. Default none: the
    /// header is ignored.
    /// </summary>
    public IList<string> TrustedProxies { get; set; } = [];

    /// <summary>
    /// Size of the managed heap, bytes, from which on windows shrink and new subscriptions get 503. 0, the default, is 80% of what
    /// the process may have; else 16 MiB to 1 TiB.
    /// </summary>
    [Range(0, 1L << 40)]
    public long MemoryLimitBytes { get; set; }

    /// <summary>
    /// Share of <c>Delivery:MaxConnections</c> that clients whose token says <c>priority: high</c> have on top. 0 to 1, default 0.1.
    /// </summary>
    [Range(0.0, 1.0)]
    public double PriorityReserve { get; set; } = 0.1;
}
