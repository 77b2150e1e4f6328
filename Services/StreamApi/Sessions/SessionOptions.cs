using System.ComponentModel.DataAnnotations;

namespace AspireStreaming.StreamApi.Sessions;

/// <summary>Settings of sessions (gRPC <c>Streams.Session</c> and <c>/ws</c>); section <c>Sessions</c>.</summary>
public sealed class SessionOptions : IValidatableObject
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "Sessions";

    /// <summary>Most open subscriptions of a session; one more is error 429. 1 to 100,000, default 1,000.</summary>
    [Range(1, 100_000)]
    public int MaxSubscriptions { get; set; } = 1_000;

    /// <summary>Smallest adaptive window, events. 1 to 4,096, default 16.</summary>
    [Range(1, 4_096)]
    public int MinWindow { get; set; } = 16;

    /// <summary>The adaptive window that a subscription begins with, events. 1 to 100,000, default 1,024.</summary>
    [Range(1, 100_000)]
    public int InitialWindow { get; set; } = 1_024;

    /// <summary>Largest adaptive window, events. 1 to 100,000, default 4,096.</summary>
    [Range(1, 100_000)]
    public int MaxWindow { get; set; } = 4_096;

    /// <summary>Largest window that a client may fix, events; more is error 400. 1 to 1,000,000, default 100,000.</summary>
    [Range(1, 1_000_000)]
    public int MaxFixedWindow { get; set; } = 100_000;

    /// <summary>
    /// The backpressure limit: most unacknowledged events of a session; at that number all its subscriptions that wait for
    /// acknowledgements pause. 16 to 10,000,000, default 100,000.
    /// </summary>
    [Range(16, 10_000_000)]
    public int MaxInFlight { get; set; } = 100_000;

    /// <summary>
    /// The buffer: bytes that are written before the session waits for the client to take them; up to four times as much for
    /// a client that takes them within 250 ms. 1 KiB to 16 MiB, default 64 KiB.
    /// </summary>
    [Range(1 << 10, 16 << 20)]
    public int BufferBytes { get; set; } = 64 << 10;

    /// <summary>Largest message of a client; a longer one is error 413. 1 KiB to 64 MiB, default 6 MiB.</summary>
    [Range(1 << 10, 64 << 20)]
    public int MaxFrameBytes { get; set; } = 6 << 20;

    /// <summary>Messages of a client that are read before they are dealt with; then the session reads no further. 1 to 10,000, default 256.</summary>
    [Range(1, 10_000)]
    public int MaxPendingCommands { get; set; } = 256;

    /// <summary>A session without messages from the client and without deliveries for this long is ended. 100 ms to 1 day, default 5 minutes.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "1.00:00:00")]
    public TimeSpan IdleTimeout { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>Most publishes of a session under way; one more is error 429. 1 to 10,000, default 64.</summary>
    [Range(1, 10_000)]
    public int MaxPublishes { get; set; } = 64;

    /// <summary>
    /// The memory limit: bytes of publishes under way in all sessions of this replica; beyond it they are error 429. 1 MiB to
    /// 16 GiB, default 256 MiB.
    /// </summary>
    [Range(1L << 20, 16L << 30)]
    public long MaxPublishBytes { get; set; } = 256L << 20;

    /// <summary>Most streams of one publish. 1 to 1,000, default 100.</summary>
    [Range(1, 1_000)]
    public int MaxPublishStreams { get; set; } = 100;

    /// <summary>Appends of one publish to several streams that run side by side. 1 to 100, default 16.</summary>
    [Range(1, 100)]
    public int PublishParallelism { get; set; } = 16;

    /// <summary>How long one try of a publish may take. 100 ms to 5 minutes, default 15 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:05:00")]
    public TimeSpan PublishTimeout { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How often a publish is tried again that got no answer, or 503; always with the same ids. 0 to 10, default 3.</summary>
    [Range(0, 10)]
    public int PublishRetries { get; set; } = 3;

    /// <summary>The pause before the first of these tries; it doubles each time, and half of it is drawn. 10 ms to 1 minute, default 200 ms.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:01:00")]
    public TimeSpan PublishRetryDelay { get; set; } = TimeSpan.FromMilliseconds(200);

    /// <summary>How often acknowledged positions of durable cursors are stored. 10 ms to 1 minute, default 1 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:01:00")]
    public TimeSpan CursorFlushInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// How often a replica looks whether another has taken over a cursor that is not being acknowledged. 10 ms to 10 minutes,
    /// default 5 s.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:10:00")]
    public TimeSpan CursorCheckInterval { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a durable cursor is kept that nobody claims or moves. 1 hour to 10 years, default 90 days.</summary>
    [Range(typeof(TimeSpan), "01:00:00", "3650.00:00:00")]
    public TimeSpan CursorRetention { get; set; } = TimeSpan.FromDays(90);

    /// <summary>Most durable cursors held by this replica; one more is error 503. 1 to 1,000,000, default 20,000.</summary>
    [Range(1, 1_000_000)]
    public int MaxCursors { get; set; } = 20_000;

    /// <inheritdoc />
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (MinWindow > InitialWindow || InitialWindow > MaxWindow)
        {
            yield return new ValidationResult(
                "Sessions:InitialWindow lies between Sessions:MinWindow and Sessions:MaxWindow.", [nameof(InitialWindow)]);
        }
    }
}
