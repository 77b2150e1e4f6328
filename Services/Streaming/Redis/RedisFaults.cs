using AspireStreaming.Streaming.Redis.Wire;
using StackExchange.Redis;

namespace AspireStreaming.Streaming.Redis;

/// <summary>Kinds of failure, which decide what the caller may do about it.</summary>
public enum FaultKind
{
    /// <summary>Trying again may help: connection lost, Redis loading, failing over or busy.</summary>
    Transient,

    /// <summary>No answer in time; the command may still have run.</summary>
    Timeout,

    /// <summary>Redis is full.</summary>
    ResourceExhausted,

    /// <summary>Trying again will not help.</summary>
    Permanent,
}

/// <summary>Classifies failures of Redis, in this one place.</summary>
public static class RedisFaults
{
    /// <summary>Redis has no such script: it lost its memory, or another process answers.</summary>
    public static bool IsNoScript(Exception exception) => Starts(exception, "NOSCRIPT");

    /// <summary>The kind of a failure. Whether a cancellation is the caller's own, the caller knows and asks first.</summary>
    public static FaultKind Classify(Exception exception) => exception switch
    {
        TimeoutException => FaultKind.Timeout,
        RedisConnectionException or RedisLostException or ObjectDisposedException => FaultKind.Transient,
        _ when Starts(exception, "OOM") => FaultKind.ResourceExhausted,
        _ when Starts(exception, "LOADING") || Starts(exception, "READONLY") || Starts(exception, "MASTERDOWN")
            || Starts(exception, "BUSY") || Starts(exception, "TRYAGAIN") || Starts(exception, "CLUSTERDOWN") || Starts(exception, "MISCONF")
            || Starts(exception, "NOREPLICAS") || Starts(exception, "UNBLOCKED") || IsNoScript(exception) => FaultKind.Transient,
        FenceException => FaultKind.Transient,

        // The client library cancels what waits on a connection that it gives up.
        OperationCanceledException => FaultKind.Transient,

        // Older versions of it fall over their own report when a connection goes while they make it.
        NullReferenceException { Source: "StackExchange.Redis" } => FaultKind.Transient,
        _ => FaultKind.Permanent,
    };

    private static bool Starts(Exception exception, string code) =>
        exception is RedisServerException or RedisErrorException && exception.Message.StartsWith(code, StringComparison.Ordinal);
}

/// <summary>The partition's epoch kept changing while a command was tried.</summary>
public sealed class FenceException : Exception
{
    /// <summary>Creates the exception.</summary>
    public FenceException()
    {
    }

    /// <summary>Creates the exception with a message.</summary>
    public FenceException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception with a message and a cause.</summary>
    public FenceException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
