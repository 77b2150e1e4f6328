using Microsoft.Extensions.Logging;

namespace AspireStreaming.Streaming.Redis;

internal static partial class HotLogEvents
{
    [LoggerMessage(EventId = 4100, EventName = "EpochRaised", Level = LogLevel.Warning,
        Message = "Raised the epoch of partition {Partition} from {Previous} to {Epoch}: Redis is new, restarted or lost data (healing: {Healing})")]
    public static partial void EpochRaised(ILogger logger, int partition, string previous, long epoch, bool healing);

    [LoggerMessage(EventId = 4101, EventName = "ArchiveLookupFailed", Level = LogLevel.Warning,
        Message = "The archive could not be asked about stream {Stream} ({Failure}: {Reason}; {Failures} such look-ups so far); its append goes on with partial idempotency")]
    public static partial void ArchiveLookupFailed(ILogger logger, string stream, string failure, string reason, long failures);

    [LoggerMessage(EventId = 4102, EventName = "PartitionHealed", Level = LogLevel.Warning,
        Message = "Partition {Partition} is healed in epoch {Epoch}: {Restored} events are back in their places, {Repeated} were appended again")]
    public static partial void Healed(ILogger logger, int partition, long epoch, long restored, long repeated);
}
