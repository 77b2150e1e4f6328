using Microsoft.Extensions.Logging;

namespace AspireStreaming.Streaming.Redis.Link;

internal static partial class RedisLinkLog
{
    [LoggerMessage(4120, LogLevel.Warning, "The {Part} connection to Redis does not answer", EventName = "RedisConnectionSilent")]
    public static partial void Silent(ILogger logger, string part, Exception exception);

    [LoggerMessage(4121, LogLevel.Warning, "The {Part} connection to Redis did not answer {Failures} checks, new ones work: all connections are replaced", EventName = "RedisConnectionReplaced")]
    public static partial void Replaced(ILogger logger, string part, int failures);

    [LoggerMessage(4122, LogLevel.Debug, "New connections to Redis cannot be made either", EventName = "RedisReplacementFailed")]
    public static partial void ReplacementFailed(ILogger logger, Exception exception);

    [LoggerMessage(4123, LogLevel.Information, "The connections to Redis answer again after {Failures} failed checks", EventName = "RedisConnectionBack")]
    public static partial void Back(ILogger logger, int failures);
}
