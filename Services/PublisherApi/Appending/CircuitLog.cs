namespace AspireStreaming.PublisherApi.Appending;

internal static partial class CircuitLog
{
    [LoggerMessage(EventId = 1000, EventName = "RedisCircuitOpened", Level = LogLevel.Warning,
        Message = "Redis failed {Failures} times in a row: publishes are answered 503 for {Seconds} s without trying it")]
    public static partial void Opened(ILogger logger, int failures, double seconds, Exception exception);

    [LoggerMessage(EventId = 1001, EventName = "RedisCircuitHalfOpened", Level = LogLevel.Information,
        Message = "One publish is let through to try Redis")]
    public static partial void HalfOpened(ILogger logger);

    [LoggerMessage(EventId = 1002, EventName = "RedisCircuitClosed", Level = LogLevel.Information,
        Message = "Redis answers again: publishes are let through")]
    public static partial void Closed(ILogger logger);
}
