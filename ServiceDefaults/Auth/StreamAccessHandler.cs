using System.Security.Claims;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace AspireStreaming.ServiceDefaults.Auth;

/// <summary>Finds out who the caller is, from a bearer token or an API key, and answers those who may not do what they ask for.</summary>
internal sealed class StreamAccessHandler(
    IOptionsMonitor<AuthenticationSchemeOptions> schemeOptions,
    ILoggerFactory loggers,
    UrlEncoder encoder,
    IOptions<AuthOptions> options,
    JwtVerifier tokens,
    ApiKeyStore apiKeys) : AuthenticationHandler<AuthenticationSchemeOptions>(schemeOptions, loggers, encoder)
{
    /// <summary>The name of the one scheme.</summary>
    public const string SchemeName = "StreamAccess";

    private Verification _verification;

    protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        if (CallerCredential.Of(Request, options.Value.CookieOrigins) is not { } credential)
        {
            Context.Features.Set(StreamAccess.Nothing);
            return AuthenticateResult.NoResult();
        }

        if (credential.IsApiKey)
        {
            _verification = apiKeys.Find(credential.Value) is { } known
                ? new Verification(known, null)
                : Verification.Refused("The API key is not known.");
        }
        else
        {
            _verification = await tokens.VerifyAsync(credential.Value, Context.RequestAborted);
        }

        Context.Features.Set(_verification.Access ?? StreamAccess.Nothing);
        return _verification.Access is { } access
            ? AuthenticateResult.Success(new AuthenticationTicket(PrincipalOf(access), SchemeName))
            : AuthenticateResult.Fail(_verification.Fault!);
    }

    protected override async Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        await HandleAuthenticateOnceSafeAsync();
        var refusal = _verification switch
        {
            { IsOurs: true, Fault: { } fault } => AccessRefusal.KeysUnavailable(fault),
            { Fault: { } fault } => AccessRefusal.Unauthenticated(fault, isInvalidToken: true),
            _ => AccessRefusal.Unauthenticated(
                "Show a bearer token (Authorization header, cookie 'aspirestreaming', or 'access_token' in the query of a GET) or an "
                + "API key (X-Api-Key header).",
                isInvalidToken: false),
        };
        await WriteAsync(refusal);
    }

    protected override Task HandleForbiddenAsync(AuthenticationProperties properties) =>
        WriteAsync(Context.Features.Get<AccessRefusal>() ?? AccessRefusal.Forbidden(null, TokenClaims.Admin));

    private static ClaimsPrincipal PrincipalOf(StreamAccess access) =>
        new(new ClaimsIdentity([new Claim(ClaimTypes.NameIdentifier, access.Subject!)], SchemeName));

    private Task WriteAsync(AccessRefusal refusal)
    {
        AuthLog.Refused(Logger, Request.Method, Request.Path, refusal.Status, refusal.Detail);
        return refusal.WriteAsync(Context);
    }
}
