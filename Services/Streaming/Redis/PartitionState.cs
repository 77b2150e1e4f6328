using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.Streaming.Redis;

/// <summary>How a partition stands.</summary>
/// <param name="Epoch">Its epoch.</param>
/// <param name="IsSameProcess">Whether Redis is the process in which that was raised, and has been no replica since.</param>
/// <param name="Watermark">ID of the last archived entry of its archive log; <c>0-0</c> for unknown.</param>
/// <param name="Staged">Number of streams of which something is staged.</param>
/// <param name="Time">Redis's clock, Unix milliseconds.</param>
/// <param name="LogEnd">ID of the last entry that its archive log had; <c>0-0</c> for none.</param>
public readonly record struct PartitionState(
    PartitionEpoch Epoch, bool IsSameProcess, StreamPosition Watermark, long Staged, long Time, StreamPosition LogEnd);
