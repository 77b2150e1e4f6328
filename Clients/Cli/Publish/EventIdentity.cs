using System.Buffers;
using System.Security.Cryptography;
using System.Text;

namespace AspireStreaming.Cli.Publish;

/// <summary>
/// Identities that follow from where a line stands: the same line of the same file for the same stream has the same id whenever
/// it is published, so a repeated command appends only what is missing.
/// </summary>
internal sealed class EventIdentity
{
    private const string SourcePrefix = "/aspirestream/";
    private const int MaxSourceLength = 256;

    private readonly byte[] _prefix;
    private readonly ArrayBufferWriter<byte> _hashed = new(4096);

    public EventIdentity(string stream, string fileName)
    {
        _prefix = Encoding.UTF8.GetBytes($"{stream}\n{fileName}\n");
        var escaped = SourcePrefix + Uri.EscapeDataString(fileName);
        Source = escaped.Length <= MaxSourceLength
            ? escaped
            : SourcePrefix + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(fileName)));
    }

    /// <summary>The events' <c>source</c>.</summary>
    public string Source { get; }

    /// <summary>The id of a line: its number, then 128 bits of SHA-256 over stream, file name, number and the line's bytes.</summary>
    /// <remarks>Published ids are compared with these for a day: the formula is never changed.</remarks>
    public string IdOf(long lineNumber, ReadOnlySpan<byte> line)
    {
        _hashed.ResetWrittenCount();
        _hashed.Write(_prefix);
        lineNumber.TryFormat(_hashed.GetSpan(20), out var written, provider: null);
        _hashed.Advance(written);
        _hashed.Write("\n"u8);
        _hashed.Write(line);
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(_hashed.WrittenSpan, hash);
        return $"{lineNumber}-{Convert.ToHexStringLower(hash[..16])}";
    }
}
