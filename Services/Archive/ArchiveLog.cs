using Microsoft.Extensions.Logging;

namespace AspireStreaming.Archive;

internal static partial class ArchiveLog
{
    [LoggerMessage(EventId = 3100, EventName = "SchemaMigrated", Level = LogLevel.Information, Message = "Applied {Migration} to the archive")]
    public static partial void Migrated(ILogger logger, string migration);
}
