namespace AspireStreaming.Streaming.Contracts;

/// <summary>What a stored event is, beyond its JSON; a part of the stored format.</summary>
[Flags]
public enum EventFlags : byte
{
    /// <summary>An ordinary event.</summary>
    None = 0,

    /// <summary>It ends its stream.</summary>
    Terminal = 1,

    /// <summary>No policy may skip it.</summary>
    Critical = 2,

    /// <summary>
    /// It was appended again after a fault, at a later position than the first; its extension <c>firstposition</c> tells that one.
    /// </summary>
    Repeated = 4,

    /// <summary>
    /// With <see cref="Repeated"/>: where it stood first, the next epoch did not know of it when it began. So a reader may have come
    /// into that epoch without it, and a position there does not say that its reader had it.
    /// </summary>
    BeyondBorder = 8,
}
