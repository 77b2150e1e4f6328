using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;

namespace AspireStreaming.PublisherApi.Http;

/// <summary>What one request appended, over all of its steps.</summary>
/// <param name="First">Position of its first event.</param>
/// <param name="Last">Position of its last event.</param>
/// <param name="Accepted">Events that it appended.</param>
/// <param name="Duplicates">Events that were there before.</param>
/// <param name="IdempotencyPartial">Whether the archive could not be asked for ids that Redis no longer knows.</param>
internal readonly record struct PublishTotals(
    StreamPosition First, StreamPosition Last, long Accepted, long Duplicates, bool IdempotencyPartial)
{
    public bool IsEmpty => Accepted + Duplicates == 0;

    /// <summary>
    /// The newest position of the request; null where known events among several leave that open, since the last event of the request
    /// may then be an old one.
    /// </summary>
    public StreamPosition? Newest => Duplicates == 0 || Accepted + Duplicates == 1 ? Last : null;

    public PublishTotals Add(AppendResult result) => new(
        IsEmpty ? result.First : First,
        result.Last,
        Accepted + result.Accepted,
        Duplicates + result.Duplicates,
        IdempotencyPartial || result.IdempotencyPartial);
}
