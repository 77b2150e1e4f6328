using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.Archive;

/// <summary>A position whose event is stored at another.</summary>
/// <param name="Position">The position.</param>
/// <param name="At">The other.</param>
/// <param name="Event">What is stored there; null when it is kept no more.</param>
public sealed record MovedEvent(StreamPosition Position, StreamPosition At, StoredEvent? Event);
