using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace AspireStreaming.TestSupport;

/// <summary>Issues JSON Web Tokens, made from nothing but the platform's cryptography.</summary>
public sealed class TokenIssuer : IDisposable
{
    /// <summary>The secret of <see cref="Hs256"/>.</summary>
    public const string Secret = "a secret of the tests, 32 bytes at least";

    private readonly RSA _rsa = RSA.Create(2048);
    private readonly ECDsa _ec = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    /// <summary>The name of the RSA key.</summary>
    public string RsaKeyId { get; } = "rsa-" + Guid.NewGuid().ToString("N")[..8];

    /// <summary>The name of the EC key.</summary>
    public string EcKeyId { get; } = "ec-" + Guid.NewGuid().ToString("N")[..8];

    /// <summary>Both public keys as a JWKS document.</summary>
    public string Jwks
    {
        get
        {
            var rsa = _rsa.ExportParameters(false);
            var ec = _ec.ExportParameters(false);
            return new JsonObject
            {
                ["keys"] = new JsonArray(
                    new JsonObject
                    {
                        ["kty"] = "RSA",
                        ["use"] = "sig",
                        ["kid"] = RsaKeyId,
                        ["alg"] = "RS256",
                        ["n"] = Encode(rsa.Modulus!),
                        ["e"] = Encode(rsa.Exponent!),
                    },
                    new JsonObject
                    {
                        ["kty"] = "EC",
                        ["use"] = "sig",
                        ["kid"] = EcKeyId,
                        ["crv"] = "P-256",
                        ["x"] = Encode(ec.Q.X!),
                        ["y"] = Encode(ec.Q.Y!),
                    }),
            }.ToJsonString();
        }
    }

    /// <summary>The RSA public key as PEM text, for attempts to pass it off as a secret.</summary>
    public string RsaPublicPem => _rsa.ExportSubjectPublicKeyInfoPem();

    /// <summary>Claims, an object's JSON, with <c>exp</c> that many seconds from now.</summary>
    public static string Claims(string json, double expiresIn = 600)
    {
        var claims = JsonNode.Parse(json)!.AsObject();
        claims["exp"] = TimeProvider.System.GetUtcNow().AddSeconds(expiresIn).ToUnixTimeSeconds();
        return claims.ToJsonString();
    }

    /// <summary>A token signed with a shared secret.</summary>
    public static string Hs256(string claims, string secret = Secret) => Sign(
        """{"alg":"HS256","typ":"JWT"}""", claims, input => HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), input));

    /// <summary>A token with a header as given and a signature by a shared secret, or none.</summary>
    public static string Forge(string header, string claims, string? secret) => Sign(
        header, claims, input => secret is null ? [] : HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), input));

    /// <summary>A token signed with the RSA key.</summary>
    public string Rs256(string claims, string? keyId = null) => Sign(
        Header("RS256", keyId ?? RsaKeyId), claims, input => _rsa.SignData(input, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));

    /// <summary>A token signed with the EC key.</summary>
    public string Es256(string claims, string? keyId = null) => Sign(
        Header("ES256", keyId ?? EcKeyId), claims, input => _ec.SignData(input, HashAlgorithmName.SHA256));

    /// <inheritdoc />
    public void Dispose()
    {
        _rsa.Dispose();
        _ec.Dispose();
    }

    private static string Header(string algorithm, string keyId) =>
        JsonSerializer.Serialize(new Dictionary<string, string> { ["alg"] = algorithm, ["typ"] = "JWT", ["kid"] = keyId });

    private static string Sign(string header, string claims, Func<byte[], byte[]> sign)
    {
        var input = $"{Encode(Encoding.UTF8.GetBytes(header))}.{Encode(Encoding.UTF8.GetBytes(claims))}";
        return $"{input}.{Encode(sign(Encoding.ASCII.GetBytes(input)))}";
    }

    private static string Encode(byte[] bytes) => Base64Url.EncodeToString(bytes);
}
