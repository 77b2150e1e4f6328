using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi;

internal static partial class StreamApiLog
{
    [LoggerMessage(2000, LogLevel.Warning, "Stream {Stream} cannot be followed for now; its readers stay connected", EventName = "FeedFailed")]
    public static partial void FeedFailed(ILogger logger, string stream, Exception exception);

    [LoggerMessage(2001, LogLevel.Warning, "Stream {Stream} cannot be read after {Position} for now", EventName = "ReadFailed")]
    public static partial void ReadFailed(ILogger logger, string stream, StreamPosition position, Exception exception);

    [LoggerMessage(2002, LogLevel.Warning, "A wake of stream {Stream} was lost after {Position}; subscribing again", EventName = "WakeLost")]
    public static partial void WakeLost(ILogger logger, string stream, StreamPosition position);

    [LoggerMessage(2003, LogLevel.Warning, "A wake message of stream {Stream} is damaged", EventName = "DamagedWake")]
    public static partial void DamagedWake(ILogger logger, string stream, Exception exception);

    [LoggerMessage(2004, LogLevel.Warning, "The tails of followed streams cannot be checked for now", EventName = "TailCheckFailed")]
    public static partial void TailCheckFailed(ILogger logger, Exception exception);

    [LoggerMessage(2010, LogLevel.Debug, "Connection {Connection} reads stream {Stream} from {Position}", EventName = "ConnectionOpened")]
    public static partial void ConnectionOpened(ILogger logger, string connection, string stream, StreamPosition position);

    [LoggerMessage(
        2011, LogLevel.Debug, "Connection {Connection} to stream {Stream} is over at {Position}: {Reason}", EventName = "ConnectionClosed")]
    public static partial void ConnectionClosed(ILogger logger, string connection, string stream, StreamPosition position, string reason);

    [LoggerMessage(2012, LogLevel.Information, "Draining {Connections} connections: {Reason}", EventName = "Draining")]
    public static partial void Draining(ILogger logger, int connections, string reason);

    [LoggerMessage(
        2013, LogLevel.Warning, "Cut connection {Connection}: a write made no progress for {Timeout}", EventName = "WriteTimedOut")]
    public static partial void WriteTimedOut(ILogger logger, string connection, TimeSpan timeout);

    [LoggerMessage(2014, LogLevel.Error, "Connection {Connection} to stream {Stream} failed", EventName = "ConnectionFailed")]
    public static partial void ConnectionFailed(ILogger logger, string connection, string stream, Exception exception);

    [LoggerMessage(
        2015, LogLevel.Warning, "A connection was refused ({Reason}); {Connections} are open", EventName = "ConnectionRefused")]
    public static partial void ConnectionRefused(ILogger logger, string reason, int connections);

    [LoggerMessage(
        2016, LogLevel.Warning, "The heap of {HeapBytes} bytes exceeds its limit of {Limit}: windows shrink, new clients are refused",
        EventName = "MemoryExceeded")]
    public static partial void MemoryExceeded(ILogger logger, long heapBytes, long limit);

    [LoggerMessage(
        2017, LogLevel.Information, "The heap of {HeapBytes} bytes is well below its limit of {Limit} again", EventName = "MemoryRecovered")]
    public static partial void MemoryRecovered(ILogger logger, long heapBytes, long limit);

    [LoggerMessage(
        2018, LogLevel.Information, "Compacted the heap after many clients came; {Connections} are open, it took {Milliseconds} ms",
        EventName = "HeapCompacted")]
    public static partial void Compacted(ILogger logger, int connections, double milliseconds);
}
