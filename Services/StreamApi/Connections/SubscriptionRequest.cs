using AspireStreaming.StreamApi.Delivery;

namespace AspireStreaming.StreamApi.Connections;

/// <summary>What to do with a subscriber that falls behind.</summary>
internal enum LagPolicy
{
    /// <summary>It gets everything, however late.</summary>
    CatchUp,

    /// <summary>It skips what it is behind.</summary>
    Drop,

    /// <summary>It is told to reconnect.</summary>
    Disconnect,
}

/// <summary>What a subscriber asks for, whatever its transport.</summary>
/// <param name="Stream">The stream.</param>
/// <param name="From">Where to start.</param>
/// <param name="Types">The types wanted; null for all.</param>
/// <param name="Policy">What to do when it falls behind.</param>
/// <param name="Lag">How far that is, events.</param>
internal sealed record SubscriptionRequest(string Stream, StartFrom From, TypeFilter? Types, LagPolicy Policy, long Lag)
{
    /// <summary>How far behind counts as behind when the client does not say.</summary>
    public const int DefaultLag = 1_000;

    /// <summary>The most that it may say.</summary>
    public const int MaxLag = 1_000_000;

    /// <summary>Parses a policy's name; empty is the default.</summary>
    public static bool TryParsePolicy(string? name, out LagPolicy policy)
    {
        policy = name switch
        {
            "drop" => LagPolicy.Drop,
            "disconnect" => LagPolicy.Disconnect,
            _ => LagPolicy.CatchUp,
        };
        return name is null or "" or "catch-up" or "drop" or "disconnect";
    }
}
