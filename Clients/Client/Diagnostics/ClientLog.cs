using Microsoft.Extensions.Logging;

namespace AspireStreaming.Client.Diagnostics;

/// <summary>What the library logs.</summary>
internal static partial class ClientLog
{
    [LoggerMessage(EventId = 5001, EventName = "ConnectionLost", Level = LogLevel.Information,
        Message = "Subscription to {Stream} lost its connection ({Reason}); it goes on in {Delay}")]
    public static partial void ConnectionLost(this ILogger logger, string stream, string reason, TimeSpan delay);

    [LoggerMessage(EventId = 5002, EventName = "EventsMissing", Level = LogLevel.Warning,
        Message = "Stream {Stream} announced missing events: {Notice} {Json}")]
    public static partial void EventsMissing(this ILogger logger, string stream, string notice, string json);

    [LoggerMessage(EventId = 5003, EventName = "ContinuityBroken", Level = LogLevel.Error,
        Message = "Stream {Stream} was not delivered as it should be: {Fault}")]
    public static partial void ContinuityBroken(this ILogger logger, string stream, string fault);

    [LoggerMessage(EventId = 5004, EventName = "RequestRetried", Level = LogLevel.Warning,
        Message = "A request failed ({Reason}); it is repeated in {Delay}")]
    public static partial void RequestRetried(this ILogger logger, string reason, TimeSpan delay);
}
