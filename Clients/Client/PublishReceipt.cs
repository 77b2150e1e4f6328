using System.Text.Json;
using AspireStreaming.Client.Http;

namespace AspireStreaming.Client;

/// <summary>The Publisher API's acknowledgement.</summary>
/// <param name="Accepted">Events that were appended.</param>
/// <param name="Duplicates">Events that were already there, for instance from an attempt whose answer was lost.</param>
/// <param name="First">Position of the first event as given.</param>
/// <param name="Last">Position of the last event as given.</param>
public sealed record PublishReceipt(long Accepted, long Duplicates, StreamPosition First, StreamPosition Last)
{
    /// <summary>Where the events are: with <see cref="Client.Durability.Archived"/> asked for, <c>Log</c> means not archived in time.</summary>
    public Durability Durability { get; init; }

    /// <summary>Whether repeats could be looked up in the hot log only, because the archive did not answer.</summary>
    public bool IdempotencyPartial { get; init; }

    internal static PublishReceipt? Read(ReadOnlyMemory<byte> body)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            var root = document.RootElement;
            return root.Number("accepted") is { } accepted && root.Number("duplicates") is { } duplicates
                && root.Position("first") is { } first && root.Position("last") is { } last
                ? new PublishReceipt(accepted, duplicates, first, last)
                {
                    Durability = root.String("durability") == "archived" ? Durability.Archived : Durability.Log,
                    IdempotencyPartial = root.String("idempotency") == "partial",
                }
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>This and what followed it.</summary>
    internal PublishReceipt Then(PublishReceipt next) => new(Accepted + next.Accepted, Duplicates + next.Duplicates, First, next.Last)
    {
        Durability = Durability == Durability.Archived ? next.Durability : Durability.Log,
        IdempotencyPartial = IdempotencyPartial || next.IdempotencyPartial,
    };
}
