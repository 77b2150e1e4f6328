namespace AspireStreaming.Streaming.Redis.Wire;

/// <summary>Redis answered a command of a connection of our own with an error; <see cref="RedisFaults.Classify"/> tells the kind.</summary>
public sealed class RedisErrorException : Exception
{
    /// <summary>Creates the exception.</summary>
    public RedisErrorException()
    {
    }

    /// <summary>Creates the exception with what Redis said.</summary>
    public RedisErrorException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception with what Redis said and a cause.</summary>
    public RedisErrorException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
