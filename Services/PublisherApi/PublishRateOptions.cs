using System.ComponentModel.DataAnnotations;

namespace AspireStreaming.PublisherApi;

/// <summary>How fast one caller may publish to this replica; section <c>Publisher:RateLimit</c>.</summary>
public sealed class PublishRateOptions
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "Publisher:RateLimit";

    /// <summary>
    /// Events a second that a caller may go on publishing: a principal, or an address where nobody has to say who it is. Beyond it
    /// requests get 429, and uploads and publish streams are read more slowly. 0, the default, is no limit; else up to 10,000,000.
    /// </summary>
    [Range(0.0, 10_000_000)]
    public double EventsPerSecond { get; set; }

    /// <summary>
    /// Events that a caller may publish at once after a quiet time. A request that is let in is published whole, and what it has more
    /// is made up for by a longer wait. 1 to 10,000,000, default 2,000.
    /// </summary>
    [Range(1, 10_000_000)]
    public int Burst { get; set; } = 2_000;

    /// <summary>
    /// Most callers that are remembered; beyond it those that have published least lately are forgotten, which gives them a fresh
    /// burst. 16 to 10,000,000, default 50,000.
    /// </summary>
    [Range(16, 10_000_000)]
    public int MaxCallers { get; set; } = 50_000;
}
