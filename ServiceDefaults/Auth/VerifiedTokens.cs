using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace AspireStreaming.ServiceDefaults.Auth;

/// <summary>
/// Tokens verified lately, by their hashes, so that a publisher of thousands of requests a second does not pay for a signature with
/// each. An entry serves for a minute at most, until its token expires, or until the key set changes.
/// </summary>
internal sealed class VerifiedTokens(TimeProvider time)
{
    private const int MaxEntries = 10_000;

    private static readonly TimeSpan Validity = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<Hash, Entry> _entries = new();

    /// <summary>What the token's holder may do; null if it must be verified.</summary>
    public StreamAccess? Find(string token, KeySet? keys) =>
        _entries.TryGetValue(Hash.Of(token), out var entry) && entry.Keys == keys && entry.Until > time.GetUtcNow() ? entry.Access : null;

    /// <summary>Remembers a verified token.</summary>
    public void Add(string token, KeySet? keys, StreamAccess access)
    {
        if (_entries.Count >= MaxEntries)
        {
            // Who has so many live tokens verifies each once more; that is cheaper than keeping account of their use.
            _entries.Clear();
        }

        var until = time.GetUtcNow() + Validity;
        _entries[Hash.Of(token)] = new Entry(access, keys, access.ExpiresAt is { } expiry && expiry < until ? expiry : until);
    }

    private readonly record struct Entry(StreamAccess Access, KeySet? Keys, DateTimeOffset Until);

    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Hash(long A, long B, long C, long D)
    {
        public static Hash Of(string token)
        {
            Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
            SHA256.HashData(Encoding.UTF8.GetBytes(token), hash);
            return MemoryMarshal.Read<Hash>(hash);
        }
    }
}
