namespace AspireStreaming.Cli.Publish;

/// <summary>Rules for event types.</summary>
internal static class EventType
{
    /// <summary>What a line without a type of its own becomes.</summary>
    public const string Default = "chunk";

    public const string Rule = "a type has 1 to 200 characters, no control characters, and does not start with 'stream.'";

    public static bool IsValid(string type) =>
        type.Length is > 0 and <= 200
        && !type.StartsWith("stream.", StringComparison.Ordinal)
        && !type.Any(char.IsControl);

    /// <summary>Whether an event of this type ends its stream, and therefore its batch.</summary>
    public static bool IsTerminal(string type) => type is "WORKFLOW_COMPLETED" or "WORKFLOW_FAILED" or "WORKFLOW_CANCELLED" or "STREAM_END";
}
