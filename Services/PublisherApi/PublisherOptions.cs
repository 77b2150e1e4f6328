using System.ComponentModel.DataAnnotations;

namespace AspireStreaming.PublisherApi;

/// <summary>What the Publisher API accepts, and how much at a time; section <c>Publisher</c>.</summary>
public sealed class PublisherOptions
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "Publisher";

    /// <summary>Types that end a stream unless configured otherwise.</summary>
    public static IReadOnlyList<string> DefaultTerminalTypes { get; } =
        ["WORKFLOW_COMPLETED", "WORKFLOW_FAILED", "WORKFLOW_CANCELLED", "STREAM_END"];

    /// <summary>Types that no policy may skip unless configured otherwise.</summary>
    public static IReadOnlyList<string> DefaultCriticalTypes { get; } =
        ["WORKFLOW_FAILED", "WORKFLOW_COMPLETED", "AGENT_FAILED", "ERROR_OCCURRED", "TOOL_ERROR"];

    /// <summary>
    /// Threads that receive from connections and serve what they receive, on Linux; 0, everywhere else too, leaves connections to the
    /// server's own transport and the thread pool. 0 to 64, default null: one for two processors, 1 to 8.
    /// </summary>
    [Range(0, 64)]
    public int? EventLoops { get; set; }

    /// <summary>
    /// Largest event, in bytes of its JSON as it is kept (without insignificant whitespace); 1 KiB to 16 MiB, default 1 MiB.
    /// </summary>
    [Range(1 << 10, 16 << 20)]
    public int MaxEventBytes { get; set; } = 1 << 20;

    /// <summary>Most events in one atomic append; 1 to 1,000, default 1,000.</summary>
    [Range(1, 1000)]
    public int MaxBatchEvents { get; set; } = 1000;

    /// <summary>Largest request body that is appended in one step, in bytes; 1 KiB to 64 MiB, default 4 MiB.</summary>
    [Range(1 << 10, 64 << 20)]
    public int MaxBatchBytes { get; set; } = 4 << 20;

    /// <summary>Deepest nesting of objects and arrays in an event's <c>data</c>; 1 to 512, default 64.</summary>
    [Range(1, 512)]
    public int MaxNestingDepth { get; set; } = 64;

    /// <summary>Longest <c>type</c>, in UTF-16 characters; 1 to 1,000, default 200.</summary>
    [Range(1, 1000)]
    public int MaxTypeLength { get; set; } = 200;

    /// <summary>
    /// Longest <c>id</c>, <c>source</c>, <c>subject</c> and <c>datacontenttype</c>, in UTF-16 characters; 36 to 4,096, default
    /// 256.
    /// </summary>
    [Range(36, 4096)]
    public int MaxAttributeLength { get; set; } = 256;

    /// <summary>Most extension attributes of an event; 0 to 256, default 32.</summary>
    [Range(0, 256)]
    public int MaxExtensions { get; set; } = 32;

    /// <summary>Largest value of an extension attribute, in bytes as written; 1 to 65,536, default 1,024.</summary>
    [Range(1, 1 << 16)]
    public int MaxExtensionValueBytes { get; set; } = 1024;

    /// <summary>Most streams that one gRPC request appends to; 1 to 1,000, default 100.</summary>
    [Range(1, 1000)]
    public int MaxStreamsPerRequest { get; set; } = 100;

    /// <summary>
    /// Types that end a stream; null = <see cref="DefaultTerminalTypes"/>. (A default list here would be added to, not replaced.)
    /// </summary>
    public string[]? TerminalTypes { get; set; }

    /// <summary>Types that no policy may skip; null = <see cref="DefaultCriticalTypes"/>.</summary>
    public string[]? CriticalTypes { get; set; }

    /// <summary>Most events of an NDJSON upload that are appended in one step; 1 to 1,000, default 500.</summary>
    [Range(1, 1000)]
    public int NdjsonChunkEvents { get; set; } = 500;

    /// <summary>An NDJSON chunk is appended once it has this many bytes; 1 KiB to 4 MiB, default 512 KiB.</summary>
    [Range(1 << 10, 4 << 20)]
    public int NdjsonChunkBytes { get; set; } = 512 << 10;

    /// <summary>
    /// How long an NDJSON upload or a gRPC publish stream may stay silent before it is ended; 1 s to 1 hour, default 2 minutes.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan UploadIdleTimeout { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>
    /// Most bytes of request bodies held at a time; beyond it requests are answered 429. 8 MiB to 16 GiB, default 256 MiB.
    /// </summary>
    [Range(8L << 20, 16L << 30)]
    public long MaxInFlightBytes { get; set; } = 256L << 20;

    /// <summary>
    /// How often the archived position is looked at while a publish waits for the archive, beside the archiver's own word; 50 ms
    /// to 1 minute, default 1 s.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.050", "00:01:00")]
    public TimeSpan ArchivePollInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>What <c>Retry-After</c> says while the archive backlog or Redis is full; 1 s to 10 minutes, default 5 s.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:10:00")]
    public TimeSpan FullRetryAfter { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a stop waits for requests under way; 1 s to 5 minutes, default 15 s.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:05:00")]
    public TimeSpan ShutdownTimeout { get; set; } = TimeSpan.FromSeconds(15);
}
