using System.ComponentModel.DataAnnotations;

namespace AspireStreaming.StreamApi.Fleet;

/// <summary>Settings of what replicas of this service ask each other; section <c>Fleet</c>.</summary>
public sealed class FleetOptions
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "Fleet";

    /// <summary>This replica's name in answers; at most 100 characters. Default: machine, process and a few random digits.</summary>
    [StringLength(100)]
    public string? ReplicaName { get; set; }

    /// <summary>How long an answer for all replicas waits for the others. 10 ms to 30 s, default 500 ms.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:00:30")]
    public TimeSpan ReplyTimeout { get; set; } = TimeSpan.FromMilliseconds(500);

    /// <summary>How often a replica says that it is there. 50 ms to 10 minutes, default 5 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.050", "00:10:00")]
    public TimeSpan AnnounceInterval { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a replica that says nothing counts as there. 100 ms to 1 hour, default 15 s; more than the interval.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "01:00:00")]
    public TimeSpan AnnounceExpiry { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>Most other replicas that are asked and listened to; an answer says when there are more. 1 to 1,000, default 64.</summary>
    [Range(1, 1_000)]
    public int MaxReplicas { get; set; } = 64;

    /// <summary>Most questions to the others under way; equal ones share one, further ones wait within their time. 1 to 1,000, default 16.</summary>
    [Range(1, 1_000)]
    public int MaxConcurrentQuestions { get; set; } = 16;

    /// <summary>Most questions of others that wait for their answer; beyond it they get none. 1 to 10,000, default 256.</summary>
    [Range(1, 10_000)]
    public int MaxPendingAnswers { get; set; } = 256;

    /// <summary>Largest message between replicas, bytes. 16 KiB to 16 MiB, default 2 MiB.</summary>
    [Range(16 << 10, 16 << 20)]
    public int MaxMessageBytes { get; set; } = 2 << 20;
}
