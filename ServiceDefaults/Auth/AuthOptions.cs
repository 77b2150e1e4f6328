using System.ComponentModel.DataAnnotations;

namespace AspireStreaming.ServiceDefaults.Auth;

/// <summary>Who may use the service; section <c>Auth</c>. See docs/operations.md, "Authentication".</summary>
public sealed class AuthOptions
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "Auth";

    /// <summary>Most API keys.</summary>
    public const int MaxApiKeys = 1_000;

    /// <summary>
    /// Whether a service without any credentials configured runs outside Development all the same, open to everybody. Default false.
    /// </summary>
    public bool AllowAnonymous { get; set; }

    /// <summary>How bearer tokens are checked.</summary>
    public JwtOptions Jwt { get; set; } = new();

    /// <summary>Keys for programs that have no tokens; at most <see cref="MaxApiKeys"/>.</summary>
    [MaxLength(MaxApiKeys)]
    public IList<ApiKeyOptions> ApiKeys { get; set; } = [];

    /// <summary>
    /// Origins such as <c>https://app.example</c> from which the cookie is accepted, beside the service's own: a browser sends it
    /// with every site's requests.
    /// </summary>
    public IList<string> CookieOrigins { get; set; } = [];

    /// <summary>Whether anybody needs a credential.</summary>
    public bool IsConfigured => Jwt.IsConfigured || ApiKeys.Count > 0;
}
