using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;

namespace AspireStreaming.ServiceDefaults.Auth;

/// <summary>The API keys, by their hashes.</summary>
internal sealed class ApiKeyStore
{
    private const int MaxKeyLength = 512;

    private readonly (byte[] Hash, ApiKeyOptions Options)[] _keys;

    public ApiKeyStore(IOptions<AuthOptions> options) => _keys =
    [
        .. options.Value.ApiKeys.Select(key => (
            key.Sha256 is { Length: > 0 } hash ? Convert.FromHexString(hash) : SHA256.HashData(Encoding.UTF8.GetBytes(key.Key!)), key)),
    ];

    /// <summary>What the key's holder may do; null if nobody holds it.</summary>
    public StreamAccess? Find(string key)
    {
        if (key.Length > MaxKeyLength)
        {
            return null;
        }

        // All are compared, in constant time: how long it takes tells nothing about what the keys are.
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(key), hash);
        ApiKeyOptions? found = null;
        foreach (var (expected, candidate) in _keys)
        {
            if (CryptographicOperations.FixedTimeEquals(expected, hash))
            {
                found = candidate;
            }
        }

        return found is null
            ? null
            : new StreamAccess(
                "key:" + found.Name,
                found.Publish,
                found.Subscribe,
                found.Admin,
                found.Priority == StreamAccess.HighPriority,
                authorization: $"{CallerCredential.ApiKeyScheme} {key}");
    }
}
