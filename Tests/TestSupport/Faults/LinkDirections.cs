namespace AspireStreaming.TestSupport.Faults;

/// <summary>Which way bytes go over a link.</summary>
[Flags]
public enum LinkDirections
{
    /// <summary>From who dialled to who was dialled.</summary>
    ToServer = 1,

    /// <summary>The answers.</summary>
    ToClient = 2,

    /// <summary>Both.</summary>
    Both = ToServer | ToClient,
}
