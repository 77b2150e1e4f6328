using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Sessions;

internal static partial class SessionLog
{
    [LoggerMessage(2100, LogLevel.Debug, "Session {Session}: {Sub} reads stream {Stream} from {Position}, window {Window}", EventName = "Subscribed")]
    public static partial void Subscribed(ILogger logger, string session, string sub, string stream, StreamPosition position, int window);

    [LoggerMessage(
        2101, LogLevel.Debug, "Session {Session}: {Sub} pauses after {Position}: {InFlight} events of stream {Stream} are unacknowledged", EventName = "Paused")]
    public static partial void Paused(ILogger logger, string session, string sub, string stream, StreamPosition position, int inFlight);

    [LoggerMessage(2102, LogLevel.Debug, "Session {Session}: the window of {Sub} on stream {Stream} goes from {Old} to {New}", EventName = "WindowChanged")]
    public static partial void WindowChanged(ILogger logger, string session, string sub, string stream, int old, int @new);

    [LoggerMessage(2103, LogLevel.Debug, "Session {Session}: {Sub} on stream {Stream} is over: {Reason}", EventName = "Unsubscribed")]
    public static partial void Unsubscribed(ILogger logger, string session, string sub, string stream, string reason);

    [LoggerMessage(2104, LogLevel.Debug, "Session {Session} answers {Status} for {Sub}: {Detail}", EventName = "SessionRefused")]
    public static partial void Refused(ILogger logger, string session, int status, string? sub, string detail);

    [LoggerMessage(2105, LogLevel.Debug, "Session {Session} reads no more from its client", EventName = "InputEnded")]
    public static partial void InputEnded(ILogger logger, string session, Exception? exception);

    [LoggerMessage(2106, LogLevel.Debug, "A publish to stream {Stream} got no answer from the Publisher API", EventName = "SessionPublishFailed")]
    public static partial void PublishFailed(ILogger logger, string stream, Exception exception);

    [LoggerMessage(
        2112, LogLevel.Warning, "A publish to stream {Stream} was given up after {Tries} tries: {Detail}", EventName = "SessionPublishGivenUp")]
    public static partial void PublishGivenUp(ILogger logger, string stream, int tries, string? detail);

    [LoggerMessage(2107, LogLevel.Warning, "Positions of {Count} durable cursors cannot be stored for now", EventName = "CursorsNotStored")]
    public static partial void CursorsNotStored(ILogger logger, int count, Exception exception);

    [LoggerMessage(2108, LogLevel.Information, "Positions of durable cursors are stored again", EventName = "CursorsStoredAgain")]
    public static partial void CursorsStoredAgain(ILogger logger);

    [LoggerMessage(
        2109, LogLevel.Debug, "The cursor {Cursor} of stream {Stream} was taken over by a newer subscription", EventName = "CursorLost")]
    public static partial void CursorLost(ILogger logger, string cursor, string stream);

    [LoggerMessage(2110, LogLevel.Error, "Session {Session}: its publish {Sub} failed", EventName = "SessionPublishBroken")]
    public static partial void PublishBroken(ILogger logger, string session, string sub, Exception exception);

    [LoggerMessage(2111, LogLevel.Warning, "Durable cursors that nobody uses cannot be removed for now", EventName = "CursorsNotForgotten")]
    public static partial void CursorsNotForgotten(ILogger logger, Exception exception);
}
