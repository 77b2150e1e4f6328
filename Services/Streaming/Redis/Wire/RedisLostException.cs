namespace AspireStreaming.Streaming.Redis.Wire;

/// <summary>A connection of our own to Redis was lost before there was an answer; whether the command ran is not known.</summary>
public sealed class RedisLostException : Exception
{
    /// <summary>Creates the exception.</summary>
    public RedisLostException()
    {
    }

    /// <summary>Creates the exception with a message.</summary>
    public RedisLostException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception with a message and a cause.</summary>
    public RedisLostException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }
}
