namespace AspireStreaming.ServiceDefaults.Auth;

/// <summary>How bearer tokens (JWT) are checked; section <c>Auth:Jwt</c>. Secret and key set may both be given.</summary>
public sealed class JwtOptions
{
    /// <summary>Fewest bytes of <see cref="Secret"/>: less than the hash's length weakens HS256 (RFC 7518, 3.2).</summary>
    public const int MinSecretBytes = 32;

    /// <summary>The shared secret of HS256 tokens, taken as UTF-8; at least <see cref="MinSecretBytes"/> bytes.</summary>
    public string? Secret { get; set; }

    /// <summary>
    /// The key set (JWKS, RFC 7517) of RS256 and ES256 tokens: an <c>https</c> URL or a file; <c>http</c> only to this machine or in
    /// Development. At most 1 MiB and 100 keys are read.
    /// </summary>
    public string? Jwks { get; set; }

    /// <summary>How often the key set is read again; 1 s to 1 day, default 10 minutes.</summary>
    public TimeSpan JwksRefresh { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>
    /// Shortest time between two readings, also when a token names a key that is not in the set, or a reading failed; 100 ms to
    /// 1 hour, default 10 s.
    /// </summary>
    public TimeSpan JwksMinInterval { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How long one reading may take; 100 ms to 1 minute, default 5 s.</summary>
    public TimeSpan JwksTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>What <c>iss</c> must be; default: anything.</summary>
    public string? Issuer { get; set; }

    /// <summary>What <c>aud</c> must contain; default: anything.</summary>
    public string? Audience { get; set; }

    /// <summary>How far the issuer's clock may differ from ours; 0 to 10 minutes, default 30 s.</summary>
    public TimeSpan ClockSkew { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Whether tokens are accepted at all.</summary>
    public bool IsConfigured => !string.IsNullOrEmpty(Secret) || !string.IsNullOrEmpty(Jwks);
}
