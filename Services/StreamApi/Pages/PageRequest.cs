using AspireStreaming.StreamApi.Delivery;

namespace AspireStreaming.StreamApi.Pages;

/// <summary>What a client asks for in a page.</summary>
/// <param name="Stream">The stream.</param>
/// <param name="From">Where to start, exclusive.</param>
/// <param name="Descending">Whether to go down from there.</param>
/// <param name="Limit">Most events.</param>
/// <param name="Wait">How long to wait for a first event.</param>
/// <param name="Types">The types wanted; null for all.</param>
/// <param name="Tiers">The tiers to read.</param>
internal sealed record PageRequest(
    string Stream, StartFrom From, bool Descending, int Limit, TimeSpan Wait, TypeFilter? Types, TierSet Tiers)
{
    /// <summary>Size of its events from which on a page is full.</summary>
    public long MaxBytes { get; init; } = 4 << 20;
}
