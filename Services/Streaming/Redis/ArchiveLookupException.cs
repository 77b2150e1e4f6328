namespace AspireStreaming.Streaming.Redis;

/// <summary>The archive could not be asked where its answer decides.</summary>
public sealed class ArchiveLookupException : Exception
{
    /// <summary>Creates the exception.</summary>
    public ArchiveLookupException()
    {
    }

    /// <summary>Creates the exception with a message.</summary>
    public ArchiveLookupException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception with a message and a cause.</summary>
    public ArchiveLookupException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
