namespace AspireStreaming.PublisherApi;

internal static partial class PublisherLog
{
    [LoggerMessage(EventId = 1010, EventName = "AppendFailed", Level = LogLevel.Debug,
        Message = "An append of {Events} events to stream {Stream} was refused because Redis could not take it")]
    public static partial void AppendFailed(ILogger logger, string stream, int events, Exception exception);

    [LoggerMessage(EventId = 1011, EventName = "CriticalEventDropped", Level = LogLevel.Error,
        Message = "{Events} critical events, the first of type {Type}, could not be accepted into stream {Stream}: {Reason}")]
    public static partial void CriticalEventDropped(ILogger logger, int events, string type, string stream, string reason);

    [LoggerMessage(EventId = 1012, EventName = "DeleteFailed", Level = LogLevel.Warning, Message = "Stream {Stream} could not be deleted")]
    public static partial void DeleteFailed(ILogger logger, string stream, Exception exception);

    [LoggerMessage(EventId = 1013, EventName = "UploadEnded", Level = LogLevel.Debug,
        Message = "An upload to stream {Stream} ended at line {Line} with {Accepted} events accepted: {Reason}")]
    public static partial void UploadEnded(ILogger logger, string stream, long line, long accepted, string reason);

    [LoggerMessage(EventId = 1014, EventName = "ArchiveWaitFailed", Level = LogLevel.Debug,
        Message = "The archived position of stream {Stream} could not be read")]
    public static partial void ArchiveWaitFailed(ILogger logger, string stream, Exception exception);
}
