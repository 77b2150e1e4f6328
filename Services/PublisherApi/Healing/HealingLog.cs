namespace AspireStreaming.PublisherApi.Healing;

internal static partial class HealingLog
{
    [LoggerMessage(EventId = 1020, EventName = "EventsStaged", Level = LogLevel.Warning,
        Message = "Redis has lost events of partition {Partition}: staged {Events} events of {Streams} streams for epoch {Epoch}")]
    public static partial void Staged(ILogger logger, int partition, long epoch, int events, int streams);

    [LoggerMessage(EventId = 1021, EventName = "ArchiveSilent", Level = LogLevel.Warning,
        Message = "The archive could not be asked which events it has: all that Redis lost are put back")]
    public static partial void ArchiveSilent(ILogger logger, Exception exception);

    [LoggerMessage(EventId = 1022, EventName = "PartitionCheckFailed", Level = LogLevel.Debug,
        Message = "Partition {Partition} could not be checked")]
    public static partial void CheckFailed(ILogger logger, int partition, Exception exception);

    [LoggerMessage(EventId = 1023, EventName = "SubscribeFailed", Level = LogLevel.Debug,
        Message = "The channels that tell of watermarks and raises could not be subscribed to")]
    public static partial void SubscribeFailed(ILogger logger, Exception exception);

    [LoggerMessage(EventId = 1024, EventName = "StoppedUnarchived", Level = LogLevel.Warning,
        Message = "Stopped while {Events} acknowledged events are in Redis alone: the archive was not ready within {Seconds} s")]
    public static partial void StoppedUnarchived(ILogger logger, long events, double seconds);
}
