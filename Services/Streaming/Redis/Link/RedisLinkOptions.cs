using System.ComponentModel.DataAnnotations;

namespace AspireStreaming.Streaming.Redis.Link;

/// <summary>Settings of the watch over the connections to Redis; section <c>RedisLink</c>.</summary>
public sealed class RedisLinkOptions
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "RedisLink";

    /// <summary>How often both connections (commands, messages) are checked. 50 ms to 1 minute, default 2 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.050", "00:01:00")]
    public TimeSpan CheckInterval { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>How long a check waits for its answers, and for its own message. 50 ms to 1 minute, default 2 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.050", "00:01:00")]
    public TimeSpan CheckTimeout { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>Checks without an answer in a row after which new connections are tried; twice as many when the connection is known to be closed and the
    /// client is at work on it. 1 to 100, default 2.</summary>
    [Range(1, 100)]
    public int FailuresBeforeReplacement { get; set; } = 2;
}
