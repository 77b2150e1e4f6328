using System.Collections.Immutable;
using System.Text.Json;
using Microsoft.IdentityModel.Tokens;

namespace AspireStreaming.ServiceDefaults.Auth;

/// <summary>The keys of a JWKS document with which RS256 and ES256 tokens may be signed.</summary>
internal sealed class KeySet
{
    private const int MaxKeys = 100;
    private const int MinRsaBits = 2_048;

    private readonly ImmutableArray<JsonWebKey> _keys;

    private KeySet(ImmutableArray<JsonWebKey> keys) => _keys = keys;

    /// <summary>How many.</summary>
    public int Count => _keys.Length;

    /// <summary>Reads a document; keys for other purposes are passed over, and symmetric ones, which have no place in it.</summary>
    /// <exception cref="FormatException">It is no JWKS, or has no key that can be used.</exception>
    public static KeySet Parse(string json)
    {
        ImmutableArray<JsonWebKey> keys;
        try
        {
            keys = [.. new JsonWebKeySet(json).Keys.Where(IsUsable).Take(MaxKeys)];
        }
        catch (Exception exception) when (exception is ArgumentException or JsonException)
        {
            throw new FormatException("It is no JSON Web Key Set.", exception);
        }

        return keys.IsEmpty
            ? throw new FormatException("It has no RSA key of 2,048 bits or more and no P-256 key for signatures.")
            : new KeySet(keys);
    }

    /// <summary>The keys that a token may have been signed with: those that it names, all of the algorithm when it names none.</summary>
    public IEnumerable<SecurityKey> Find(string? keyId, string algorithm) => _keys.Where(key =>
        key.Kty == KeyTypeOf(algorithm)
        && (string.IsNullOrEmpty(keyId) || key.KeyId == keyId)
        && (string.IsNullOrEmpty(key.Alg) || key.Alg == algorithm));

    private static string KeyTypeOf(string algorithm) =>
        algorithm == SecurityAlgorithms.RsaSha256 ? JsonWebAlgorithmsKeyTypes.RSA : JsonWebAlgorithmsKeyTypes.EllipticCurve;

    private static bool IsUsable(JsonWebKey key) => key.Use is null or "" or "sig" && key.Kty switch
    {
        JsonWebAlgorithmsKeyTypes.RSA => !string.IsNullOrEmpty(key.N) && !string.IsNullOrEmpty(key.E) && key.KeySize >= MinRsaBits,
        JsonWebAlgorithmsKeyTypes.EllipticCurve => key.Crv == "P-256" && !string.IsNullOrEmpty(key.X) && !string.IsNullOrEmpty(key.Y),
        _ => false,
    };
}
