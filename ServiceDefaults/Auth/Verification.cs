namespace AspireStreaming.ServiceDefaults.Auth;

/// <summary>What came of checking a credential: what its holder may do, or why it is not accepted.</summary>
/// <param name="Access">What the holder may do; null if it is not accepted.</param>
/// <param name="Fault">Why not, for the caller to read; never a part of the credential.</param>
/// <param name="IsOurs">Whether the fault is ours: the credential may be good.</param>
internal readonly record struct Verification(StreamAccess? Access, string? Fault, bool IsOurs = false)
{
    /// <summary>Not accepted.</summary>
    public static Verification Refused(string fault) => new(null, fault);
}
