using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.Archive.Cursors;

/// <summary>A cursor that was claimed.</summary>
/// <param name="Key">The cursor.</param>
/// <param name="Fence">Rises with each claim; a claim with a lower one is void.</param>
/// <param name="Position">The position stored; null when there is none yet.</param>
public readonly record struct CursorClaim(CursorKey Key, long Fence, StreamPosition? Position);
