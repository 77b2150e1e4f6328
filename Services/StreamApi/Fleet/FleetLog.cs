namespace AspireStreaming.StreamApi.Fleet;

internal static partial class FleetLog
{
    [LoggerMessage(2020, LogLevel.Warning, "This replica cannot tell the others that it is there for now", EventName = "AnnounceFailed")]
    public static partial void AnnounceFailed(ILogger logger, Exception exception);

    [LoggerMessage(2021, LogLevel.Warning, "The other replicas cannot be asked for now; the answer is partial", EventName = "FleetUnreachable")]
    public static partial void Unreachable(ILogger logger, Exception exception);

    [LoggerMessage(2022, LogLevel.Information, "Without an answer from {Count} replicas: {Replicas}", EventName = "ReplicasSilent")]
    public static partial void Silent(ILogger logger, int count, string replicas);

    [LoggerMessage(2023, LogLevel.Warning, "A message of another replica is damaged or too large ({Bytes} bytes)", EventName = "FleetMessageRefused")]
    public static partial void Refused(ILogger logger, int bytes, Exception? exception);

    [LoggerMessage(2024, LogLevel.Warning, "A question of replica {Replica} cannot be answered", EventName = "FleetAnswerFailed")]
    public static partial void AnswerFailed(ILogger logger, string replica, Exception exception);
}
