namespace AspireStreaming.Archive.Cursors;

/// <summary>Names a consumer's place in a stream.</summary>
/// <param name="Principal">Who owns it; empty where nobody needs to say who they are.</param>
/// <param name="Name">The consumer's name for it.</param>
/// <param name="Stream">The stream.</param>
public readonly record struct CursorKey(string Principal, string Name, string Stream);
