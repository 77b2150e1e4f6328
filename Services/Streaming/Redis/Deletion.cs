using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.Streaming.Redis;

/// <summary>A stream's deletion from the hot log.</summary>
/// <param name="Position">The last position it had.</param>
/// <param name="LogId">ID of its entry in the partition's archive log.</param>
public readonly record struct Deletion(StreamPosition Position, StreamPosition LogId);
