namespace AspireStreaming.TestSupport.Histories;

/// <summary>An event that the Publisher API has taken over.</summary>
public sealed record AcknowledgedEvent(string Id, LogPosition Position);

/// <summary>A row of the archive.</summary>
public sealed record ArchivedRow(string Stream, LogPosition Position, string Id);
