namespace AspireStreaming.SystemSupport.Publishing;

/// <summary>What the Publisher API answered to an accepted request.</summary>
public sealed record PublishAnswer(string First, string Last, int Accepted, int Duplicates);
