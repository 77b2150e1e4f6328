using System.Buffers.Text;
using System.IdentityModel.Tokens.Jwt;
using System.Text.Json;

namespace AspireStreaming.ServiceDefaults.Auth;

/// <summary>Reads what a verified token grants.</summary>
internal static class TokenClaims
{
    /// <summary>Patterns of streams to publish to.</summary>
    public const string Publish = "publish";

    /// <summary>Patterns of streams to read.</summary>
    public const string Subscribe = "subscribe";

    /// <summary>Whether everything is granted.</summary>
    public const string Admin = "admin";

    private const string Priority = "priority";

    private static readonly char[] Separators = [' ', ','];

    /// <summary>
    /// The token's grants. A claim of a form that is not understood grants nothing. The payload is read anew because the library's
    /// own claims lose the difference between a list and its elements, in a way that changes with its version.
    /// </summary>
    public static StreamAccess Read(JwtSecurityToken token, DateTimeOffset expiresAt, string authorization)
    {
        using var payload = JsonDocument.Parse(Base64Url.DecodeFromChars(token.RawPayload));
        var claims = payload.RootElement;
        return new StreamAccess(
            SubjectOf(claims),
            List(claims, Publish),
            List(claims, Subscribe),
            claims.TryGetProperty(Admin, out var admin) && admin.ValueKind == JsonValueKind.True,
            Text(claims, Priority) == StreamAccess.HighPriority,
            expiresAt,
            authorization);
    }

    private static string SubjectOf(JsonElement claims)
    {
        var subject = Text(claims, "sub") ?? Text(claims, "client_id") ?? Text(claims, "azp");
        return Text(claims, "iss") is { } issuer ? $"jwt:{issuer}|{subject}" : $"jwt:{subject}";
    }

    private static string? Text(JsonElement claims, string name) =>
        claims.TryGetProperty(name, out var claim) && claim.ValueKind == JsonValueKind.String ? claim.GetString() : null;

    private static string[] List(JsonElement claims, string name)
    {
        if (!claims.TryGetProperty(name, out var claim))
        {
            return [];
        }

        return claim.ValueKind switch
        {
            // Issuers that know text only, as with OAuth's scope.
            JsonValueKind.String => claim.GetString()!.Split(Separators, StringSplitOptions.RemoveEmptyEntries),
            JsonValueKind.Array => claim.EnumerateArray()
                .Where(item => item.ValueKind == JsonValueKind.String)
                .Select(item => item.GetString()!)
                .ToArray(),
            _ => [],
        };
    }
}
