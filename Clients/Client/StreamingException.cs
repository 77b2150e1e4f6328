namespace AspireStreaming.Client;

/// <summary>What this library throws for reasons of its own.</summary>
public abstract class StreamingException : Exception
{
    private protected StreamingException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }
}
