using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace AspireStreaming.Streaming.Redis;

/// <summary>The idempotency key as the hot log keeps it.</summary>
public static class EventIdentity
{
    /// <summary>16 bytes that stand for (source, id): the first half of SHA-256, so that nobody can construct a collision.</summary>
    public static byte[] Of(string source, string id)
    {
        var sourceLength = Encoding.UTF8.GetByteCount(source);
        var length = 4 + sourceLength + Encoding.UTF8.GetByteCount(id);
        byte[]? rented = null;
        var buffer = length <= 512 ? stackalloc byte[512] : (rented = ArrayPool<byte>.Shared.Rent(length));
        BinaryPrimitives.WriteInt32LittleEndian(buffer, sourceLength);
        Encoding.UTF8.GetBytes(source, buffer[4..]);
        Encoding.UTF8.GetBytes(id, buffer[(4 + sourceLength)..]);
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(buffer[..length], hash);
        if (rented is not null)
        {
            ArrayPool<byte>.Shared.Return(rented);
        }

        return hash[..16].ToArray();
    }
}
