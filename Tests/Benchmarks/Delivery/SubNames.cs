namespace AspireStreaming.Benchmarks.Delivery;

/// <summary>Names of subscriptions, all of one length, so that they are at the same place in every message.</summary>
internal static class SubNames
{
    /// <summary>The first name; the others count on from it.</summary>
    public const int First = 1_000;

    /// <summary>Characters of a name.</summary>
    public const int Length = 4;
}
