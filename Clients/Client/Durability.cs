namespace AspireStreaming.Client;

/// <summary>Where an event must be before its publish is acknowledged.</summary>
public enum Durability
{
    /// <summary>In the hot log.</summary>
    Log,

    /// <summary>In the archive.</summary>
    Archived,
}
