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
}
