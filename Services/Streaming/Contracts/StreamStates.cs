namespace AspireStreaming.Streaming.Contracts;

/// <summary>States of a stream, and the control events about it that subscribers receive.</summary>
public static class StreamStates
{
    /// <summary>More events may come.</summary>
    public const string Running = "running";

    /// <summary>Ended by <c>WORKFLOW_COMPLETED</c>.</summary>
    public const string Completed = "completed";

    /// <summary>Ended by <c>WORKFLOW_FAILED</c>.</summary>
    public const string Failed = "failed";

    /// <summary>Ended by <c>WORKFLOW_CANCELLED</c>.</summary>
    public const string Cancelled = "cancelled";

    /// <summary>Ended by <c>STREAM_END</c> or another terminal type.</summary>
    public const string Ended = "ended";

    /// <summary>Prefix of control events; no publisher may use it.</summary>
    public const string ControlPrefix = "stream.";

    /// <summary>The end type that readers see when a stream was deleted.</summary>
    public const string DeletedType = "stream.deleted";

    /// <summary>The state in which an event of a terminal type leaves its stream.</summary>
    public static string AfterTerminal(string type) => type switch
    {
        "WORKFLOW_COMPLETED" => Completed,
        "WORKFLOW_FAILED" => Failed,
        "WORKFLOW_CANCELLED" => Cancelled,
        _ => Ended,
    };
}
