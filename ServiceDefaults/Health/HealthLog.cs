using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;

namespace AspireStreaming.ServiceDefaults.Health;

internal static partial class HealthLog
{
    [LoggerMessage(4001, LogLevel.Warning, "Health check {Check} turned {Status}: {Description}", EventName = "HealthCheckFailed")]
    public static partial void CheckFailed(ILogger logger, string check, HealthStatus status, string? description, Exception? exception);

    [LoggerMessage(4002, LogLevel.Information, "Health check {Check} is healthy again", EventName = "HealthCheckRecovered")]
    public static partial void CheckRecovered(ILogger logger, string check);
}
