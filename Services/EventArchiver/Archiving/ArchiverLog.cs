using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.EventArchiver.Archiving;

internal static partial class ArchiverLog
{
    [LoggerMessage(EventId = 3000, EventName = "ArchiverStarted", Level = LogLevel.Information,
        Message = "Archiving as {Owner} with {Lanes} lanes")]
    public static partial void Started(ILogger logger, string owner, int lanes);

    [LoggerMessage(EventId = 3001, EventName = "ArchiverStopped", Level = LogLevel.Information,
        Message = "Stopped; {Archived} events archived since the start, all partitions released")]
    public static partial void Stopped(ILogger logger, long archived);

    [LoggerMessage(EventId = 3002, EventName = "SchemaFailed", Level = LogLevel.Warning,
        Message = "The archive's schema could not be checked; trying again in {Delay:0.0} s")]
    public static partial void SchemaFailed(ILogger logger, double delay, Exception exception);

    [LoggerMessage(EventId = 3003, EventName = "PartitionsClaimed", Level = LogLevel.Information,
        Message = "Claimed {Count} partitions, owns {Owned} now; {Replicas} replicas are alive")]
    public static partial void Claimed(ILogger logger, int count, int owned, int replicas);

    [LoggerMessage(EventId = 3004, EventName = "PartitionsReleased", Level = LogLevel.Information,
        Message = "Released {Count} partitions for other replicas")]
    public static partial void Released(ILogger logger, int count);

    [LoggerMessage(EventId = 3005, EventName = "PartitionsTakenOver", Level = LogLevel.Warning,
        Message = "Took {Count} partitions over from owners that did not renew their leases: {Partitions}")]
    public static partial void TookOver(ILogger logger, int count, string partitions);

    [LoggerMessage(EventId = 3006, EventName = "PartitionLost", Level = LogLevel.Warning,
        Message = "Another replica owns partition {Partition} now")]
    public static partial void LeaseLost(ILogger logger, int partition);

    [LoggerMessage(EventId = 3007, EventName = "FenceRefused", Level = LogLevel.Warning,
        Message = "A commit for partition {Partition} with fence {Fence} was refused: another replica owns it now")]
    public static partial void FenceRefused(ILogger logger, int partition, long fence);

    [LoggerMessage(EventId = 3008, EventName = "LeaseFailed", Level = LogLevel.Warning,
        Message = "The partitions' leases could not be renewed or released")]
    public static partial void LeaseFailed(ILogger logger, Exception exception);

    [LoggerMessage(EventId = 3009, EventName = "CommitFailed", Level = LogLevel.Warning,
        Message = "Lane {Lane} could not commit {Events} events; trying again in {Delay:0.0} s, nothing is lost")]
    public static partial void CommitFailed(ILogger logger, int lane, int events, double delay, Exception exception);

    [LoggerMessage(EventId = 3010, EventName = "ReadFailed", Level = LogLevel.Warning,
        Message = "Lane {Lane} could not read or trim the archive logs; trying again in at most {Delay:0.0} s")]
    public static partial void ReadFailed(ILogger logger, int lane, double delay, Exception exception);

    [LoggerMessage(EventId = 3011, EventName = "EntryUnreadable", Level = LogLevel.Error,
        Message = "The archive log of partition {Partition} has an entry that this program cannot read; the partition waits, next try in {Delay:0.0} s")]
    public static partial void EntryUnreadable(ILogger logger, int partition, double delay, Exception exception);

    [LoggerMessage(EventId = 3012, EventName = "EventDied", Level = LogLevel.Error,
        Message = "PostgreSQL refuses the event at {Position} of {Stream} ({SqlState}: {Reason}); it is kept in dead_events")]
    public static partial void EventDied(ILogger logger, string stream, StreamPosition position, string sqlState, string reason);

    [LoggerMessage(EventId = 3013, EventName = "CriticalEventDropped", Level = LogLevel.Error,
        Message = "PostgreSQL refuses the critical event at {Position} of {Stream} ({SqlState}: {Reason}); it is kept in dead_events")]
    public static partial void CriticalEventDropped(ILogger logger, string stream, StreamPosition position, string sqlState, string reason);

    [LoggerMessage(EventId = 3014, EventName = "OldLogRead", Level = LogLevel.Warning,
        Message = "The archive log of partition {Partition} had {Entries} entries up to {Through}, below the watermark {Watermark}: "
            + "not trimmed before, or back from an old snapshot; what was missing is archived")]
    public static partial void OldLogRead(ILogger logger, int partition, StreamPosition through, StreamPosition watermark, int entries);

    [LoggerMessage(EventId = 3015, EventName = "UpkeepFailed", Level = LogLevel.Warning,
        Message = "Day partitions could not be made or dropped; tried again later")]
    public static partial void UpkeepFailed(ILogger logger, Exception exception);

    [LoggerMessage(EventId = 3016, EventName = "DaysDropped", Level = LogLevel.Information,
        Message = "Dropped {Count} day partitions older than {Kept} days")]
    public static partial void DaysDropped(ILogger logger, int count, int kept);

    [LoggerMessage(EventId = 3017, EventName = "FlushIncomplete", Level = LogLevel.Warning,
        Message = "The stop's deadline of {Deadline:0.0} s passed before all batches were committed; they stay in the hot log")]
    public static partial void FlushIncomplete(ILogger logger, double deadline);
}
