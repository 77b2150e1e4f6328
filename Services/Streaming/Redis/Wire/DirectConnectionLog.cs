using Microsoft.Extensions.Logging;

namespace AspireStreaming.Streaming.Redis.Wire;

internal static partial class DirectConnectionLog
{
    [LoggerMessage(4130, LogLevel.Debug, "The direct connection to Redis is open", EventName = "DirectConnectionOpened")]
    public static partial void Opened(ILogger logger);

    [LoggerMessage(4131, LogLevel.Debug, "The direct connection to Redis was lost", EventName = "DirectConnectionLost")]
    public static partial void Lost(ILogger logger, Exception reason);

    [LoggerMessage(4132, LogLevel.Debug, "The direct connection to Redis cannot be opened", EventName = "DirectConnectionNotOpened")]
    public static partial void NotOpened(ILogger logger, Exception exception);
}
