using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Sse;

/// <summary>
/// The id of a connection that follows several streams: base64url of a version byte, the first 8 bytes of the SHA-256 of the names
/// (each with a line feed behind it), and for each stream in the order of the list its epoch and sequence as LEB128 varints.
/// </summary>
internal sealed class VectorCursor
{
    /// <summary>Most streams.</summary>
    public const int MaxStreams = 50;

    /// <summary>Longest text form, characters.</summary>
    public const int MaxTextLength = ((MaxBytes * 4) + 2) / 3;

    private const byte Version = 1;
    private const int HashLength = 8;
    private const int PrefixLength = 1 + HashLength;
    private const int MaxVarint = 8;
    private const int MaxBytes = PrefixLength + (MaxStreams * 2 * MaxVarint);

    private readonly byte[] _prefix = new byte[PrefixLength];
    private readonly int _count;

    /// <summary>The cursor of a connection to a list of streams.</summary>
    public VectorCursor(IReadOnlyCollection<string> streams)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(streams.Count, MaxStreams);
        _count = streams.Count;
        _prefix[0] = Version;
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(string.Concat(streams.Select(stream => stream + "\n"))));
        hash.AsSpan(0, HashLength).CopyTo(_prefix.AsSpan(1));
    }

    /// <summary>Writes the text form.</summary>
    /// <param name="positions">One for each stream.</param>
    /// <param name="text">At least <see cref="MaxTextLength"/> bytes.</param>
    /// <returns>Bytes written.</returns>
    public int Format(ReadOnlySpan<StreamPosition> positions, Span<byte> text)
    {
        Span<byte> bytes = stackalloc byte[MaxBytes];
        _prefix.CopyTo(bytes);
        var length = PrefixLength;
        foreach (var position in positions)
        {
            length += WriteVarint(bytes[length..], position.Epoch);
            length += WriteVarint(bytes[length..], position.Sequence);
        }

        return Base64Url.EncodeToUtf8(bytes[..length], text);
    }

    /// <summary>Reads the text form; false if it is none, or one of another list.</summary>
    public bool TryParse(string text, out StreamPosition[] positions)
    {
        positions = new StreamPosition[_count];
        Span<byte> decoded = stackalloc byte[MaxBytes];
        if (text.Length > MaxTextLength || !Base64Url.IsValid(text) || !Base64Url.TryDecodeFromChars(text, decoded, out var length)
            || !decoded[..length].StartsWith(_prefix))
        {
            return false;
        }

        ReadOnlySpan<byte> bytes = decoded[PrefixLength..length];
        for (var index = 0; index < positions.Length; index++)
        {
            if (!TryReadVarint(ref bytes, out var epoch) || !TryReadVarint(ref bytes, out var sequence))
            {
                return false;
            }

            positions[index] = new StreamPosition(epoch, sequence);
        }

        return bytes.IsEmpty;
    }

    private static int WriteVarint(Span<byte> bytes, long value)
    {
        var length = 0;
        for (; value >= 0x80; value >>= 7)
        {
            bytes[length++] = (byte)(value | 0x80);
        }

        bytes[length++] = (byte)value;
        return length;
    }

    private static bool TryReadVarint(scoped ref ReadOnlySpan<byte> bytes, out long value)
    {
        value = 0;
        for (var index = 0; index < bytes.Length && index < MaxVarint; index++)
        {
            value |= (long)(bytes[index] & 0x7F) << (7 * index);
            if (bytes[index] < 0x80)
            {
                bytes = bytes[(index + 1)..];
                return value <= StreamPosition.MaxValue;
            }
        }

        return false;
    }
}
