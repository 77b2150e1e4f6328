using AspireStreaming.StreamApi.Delivery;

namespace AspireStreaming.StreamApi.Sse;

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

/// <summary>What an SSE client asks for.</summary>
/// <param name="Stream">The stream.</param>
/// <param name="From">Where to start.</param>
/// <param name="Named">Whether frames carry the event's type as their name.</param>
/// <param name="Types">The types wanted, UTF-8; null for all.</param>
/// <param name="Policy">What to do when it falls behind.</param>
/// <param name="Lag">How far that is, events.</param>
internal sealed record SseRequest(string Stream, StartFrom From, bool Named, TypeFilter? Types, LagPolicy Policy, long Lag);
