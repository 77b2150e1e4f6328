namespace AspireStreaming.Client;

/// <summary>A service stayed away, or busy, for longer than the caller wanted to try.</summary>
public sealed class ServiceUnreachableException : StreamingException
{
    internal ServiceUnreachableException(string message, Exception cause)
        : base(message, cause)
    {
    }
}
