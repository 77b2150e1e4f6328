using AspireStreaming.Streaming.Redis;

namespace AspireStreaming.StreamApi.Delivery;

/// <summary>The gate to the archive.</summary>
internal sealed class ArchiveGate(TimeProvider time) : RetryGate(time);
