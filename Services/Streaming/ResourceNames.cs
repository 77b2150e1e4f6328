namespace AspireStreaming.Streaming;

/// <summary>Names of the resources in the AppHost's graph, which are also the connection and service names that services use.</summary>
public static class ResourceNames
{
    /// <summary>The hot log.</summary>
    public const string Redis = "redis";

    /// <summary>The database of the archive.</summary>
    public const string ArchiveDatabase = "events";

    /// <summary>The service that appends.</summary>
    public const string PublisherApi = "publisher-api";

    /// <summary>The service that delivers.</summary>
    public const string StreamApi = "stream-api";

    /// <summary>The service that moves events from the hot log to the archive.</summary>
    public const string EventArchiver = "event-archiver";
}
