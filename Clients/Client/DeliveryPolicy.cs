namespace AspireStreaming.Client;

/// <summary>What happens when a subscriber falls behind.</summary>
public enum DeliveryPolicy
{
    /// <summary>Nothing: it reads on from slower tiers of the log and misses nothing.</summary>
    CatchUp,

    /// <summary>More than the lag behind, the range is skipped but for critical events, and announced (<see cref="DroppedNotice"/>).</summary>
    Drop,

    /// <summary>More than the lag behind, the subscription ends with a <see cref="LagDisconnectException"/>.</summary>
    Disconnect,
}
