namespace AspireStreaming.StreamApi.Sessions;

/// <summary>What became of a publish in one stream.</summary>
/// <param name="Stream">The stream.</param>
/// <param name="Status">As in HTTP: 200, or 202 when the archive was asked for and not reached in time; else the fault's.</param>
internal sealed record PublishResult(string Stream, int Status)
{
    /// <summary>Position of the first event; empty for a fault.</summary>
    public string First { get; init; } = "";

    /// <summary>Position of the last event; empty for a fault.</summary>
    public string Last { get; init; } = "";

    /// <summary>Events appended.</summary>
    public int Accepted { get; init; }

    /// <summary>Events that were known.</summary>
    public int Duplicates { get; init; }

    /// <summary>The fault; null when there was none.</summary>
    public SessionFault? Fault { get; init; }
}
