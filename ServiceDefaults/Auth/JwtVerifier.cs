using System.IdentityModel.Tokens.Jwt;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Tokens;

namespace AspireStreaming.ServiceDefaults.Auth;

/// <summary>Checks bearer tokens.</summary>
internal sealed class JwtVerifier
{
    private const int MaxTokenLength = 16 << 10;

    private readonly JwtSecurityTokenHandler _handler = new() { MapInboundClaims = false, MaximumTokenSizeInBytes = MaxTokenLength };
    private readonly JwtOptions _options;
    private readonly SymmetricSecurityKey? _secret;
    private readonly string[] _algorithms;
    private readonly SigningKeys _keys;
    private readonly VerifiedTokens _verified;
    private readonly TimeProvider _time;

    public JwtVerifier(IOptions<AuthOptions> options, SigningKeys keys, VerifiedTokens verified, TimeProvider time)
    {
        _options = options.Value.Jwt;
        _keys = keys;
        _verified = verified;
        _time = time;
        _secret = string.IsNullOrEmpty(_options.Secret) ? null : new SymmetricSecurityKey(Encoding.UTF8.GetBytes(_options.Secret));
        _algorithms =
        [
            .. _secret is null ? [] : new[] { SecurityAlgorithms.HmacSha256 },
            .. string.IsNullOrEmpty(_options.Jwks) ? [] : new[] { SecurityAlgorithms.RsaSha256, SecurityAlgorithms.EcdsaSha256 },
        ];
    }

    /// <summary>Checks a token: its form, algorithm, signature, issuer, audience and times.</summary>
    public async ValueTask<Verification> VerifyAsync(string token, CancellationToken cancellationToken)
    {
        if (!_options.IsConfigured)
        {
            return Verification.Refused("Bearer tokens are not accepted here.");
        }

        if (token.Length is 0 or > MaxTokenLength)
        {
            return Verification.Refused("The token is malformed.");
        }

        var keys = await _keys.GetAsync(cancellationToken);
        if (_verified.Find(token, keys) is { } known)
        {
            return new Verification(known, null);
        }

        var result = Verify(token, keys, out var isUnknownKey);
        if (isUnknownKey && await _keys.RefreshAsync(cancellationToken) is { } newer && newer != keys)
        {
            keys = newer;
            result = Verify(token, keys, out isUnknownKey);
        }

        if (isUnknownKey && keys is null)
        {
            return new Verification(null, "The keys that tokens are checked with cannot be read at the moment.", IsOurs: true);
        }

        if (result.Access is { } access)
        {
            _verified.Add(token, keys, access);
        }

        return result;
    }

    private Verification Verify(string token, KeySet? keys, out bool isUnknownKey)
    {
        // The library's exceptions tell an unknown key from a bad signature in some versions only.
        var candidates = new CandidateKeys(_secret, keys, !string.IsNullOrEmpty(_options.Jwks));
        isUnknownKey = false;
        try
        {
            _handler.ValidateToken(token, Parameters(candidates), out var validated);
            return CheckTimes((JwtSecurityToken)validated, token);
        }
        catch (SecurityTokenException) when (candidates.IsUnknownKey)
        {
            isUnknownKey = true;
            return Verification.Refused("The token is signed with an unknown key.");
        }
        catch (SecurityTokenInvalidAlgorithmException)
        {
            return Verification.Refused(WrongAlgorithm());
        }
        catch (Exception exception) when (
            exception is SecurityTokenInvalidSignatureException or SecurityTokenSignatureKeyNotFoundException)
        {
            return Verification.Refused($"The token's signature is not valid, or not of {string.Join(" or ", _algorithms)}.");
        }
        catch (SecurityTokenInvalidIssuerException)
        {
            return Verification.Refused("The token is from another issuer.");
        }
        catch (SecurityTokenInvalidAudienceException)
        {
            return Verification.Refused("The token is for another audience.");
        }
        catch (Exception exception) when (exception is SecurityTokenException or ArgumentException or FormatException or JsonException)
        {
            // Which of them a malformed token brings changes with the library's version.
            return Verification.Refused("The token is malformed.");
        }
    }

    private Verification CheckTimes(JwtSecurityToken token, string text)
    {
        // Ours and not the library's, for its clock cannot be set.
        if (token.ValidTo == DateTime.MinValue)
        {
            return Verification.Refused("The token has no expiry ('exp').");
        }

        var now = _time.GetUtcNow();
        var expiresAt = Later(token.ValidTo, _options.ClockSkew);
        if (expiresAt <= now)
        {
            return Verification.Refused("The token has expired.");
        }

        return token.ValidFrom != DateTime.MinValue && new DateTimeOffset(token.ValidFrom) > now + _options.ClockSkew
            ? Verification.Refused("The token is not valid yet.")
            : new Verification(TokenClaims.Read(token, expiresAt, $"{CallerCredential.BearerScheme} {text}"), null);
    }

    private static DateTimeOffset Later(DateTime moment, TimeSpan skew) =>
        DateTime.MaxValue - moment > skew ? new DateTimeOffset(moment + skew) : DateTimeOffset.MaxValue;

    private string WrongAlgorithm() => $"The token must be signed with {string.Join(" or ", _algorithms)}.";

    private TokenValidationParameters Parameters(CandidateKeys candidates) => new()
    {
        ValidAlgorithms = _algorithms,
        RequireSignedTokens = true,
        RequireExpirationTime = true,
        ValidateLifetime = false,
        ValidateIssuerSigningKey = false,
        ValidateIssuer = _options.Issuer is { Length: > 0 },
        ValidIssuer = _options.Issuer,
        ValidateAudience = _options.Audience is { Length: > 0 },
        ValidAudience = _options.Audience,

        IssuerSigningKeyResolver = (_, token, keyId, _) => candidates.Find(((JwtSecurityToken)token).Header.Alg, keyId),
    };

    /// <summary>
    /// The keys that a token may be signed with. A key serves its own kind of algorithm only: a public key never becomes the secret of
    /// an HMAC.
    /// </summary>
    private sealed class CandidateKeys(SymmetricSecurityKey? secret, KeySet? keys, bool hasKeySet)
    {
        /// <summary>Whether the token is of a kind that the key set serves, but by none of its keys.</summary>
        public bool IsUnknownKey { get; private set; }

        public SecurityKey[] Find(string algorithm, string? keyId)
        {
            switch (algorithm)
            {
                case SecurityAlgorithms.HmacSha256:
                    return secret is null ? [] : [secret];
                case SecurityAlgorithms.RsaSha256 or SecurityAlgorithms.EcdsaSha256 when hasKeySet:
                    var found = keys?.Find(keyId, algorithm).ToArray() ?? [];
                    IsUnknownKey = found.Length == 0;
                    return found;
                default:
                    return [];
            }
        }
    }
}
