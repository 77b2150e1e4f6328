namespace AspireStreaming.ServiceDefaults.Auth;

/// <summary>An API key and what its holder may do; an element of <c>Auth:ApiKeys</c>.</summary>
public sealed class ApiKeyOptions
{
    /// <summary>Fewest characters of <see cref="Key"/>.</summary>
    public const int MinKeyLength = 16;

    /// <summary>Who holds it; unique. It stands in <c>/connections</c> and logs, so it is no secret.</summary>
    public string Name { get; set; } = "";

    /// <summary>The SHA-256 of the key as 64 hexadecimal digits; give this or <see cref="Key"/>.</summary>
    public string? Sha256 { get; set; }

    /// <summary>The key itself, at least <see cref="MinKeyLength"/> characters.</summary>
    public string? Key { get; set; }

    /// <summary>Patterns of the streams that it may publish to.</summary>
    public IList<string> Publish { get; set; } = [];

    /// <summary>Patterns of the streams that it may read.</summary>
    public IList<string> Subscribe { get; set; } = [];

    /// <summary>Whether it may do everything.</summary>
    public bool Admin { get; set; }

    /// <summary><c>high</c> for a share in the reserve of connections; default normal.</summary>
    public string? Priority { get; set; }
}
