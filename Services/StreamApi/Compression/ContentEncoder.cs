using System.Buffers;

namespace AspireStreaming.StreamApi.Compression;

/// <summary>Compresses one answer, piece by piece. Not thread-safe.</summary>
internal abstract class ContentEncoder : IDisposable
{
    /// <summary>The encoder for a live connection: fast, with a small memory.</summary>
    public static ContentEncoder ForLive(ContentCoding coding, IBufferWriter<byte> target) => coding == ContentCoding.Brotli
        ? new BrotliContentEncoder(target, quality: 2, window: 16)
        : new GzipContentEncoder(target, System.IO.Compression.CompressionLevel.Fastest);

    /// <summary>The encoder for a page, which is gone right afterwards.</summary>
    public static ContentEncoder ForPage(ContentCoding coding, IBufferWriter<byte> target) => coding == ContentCoding.Brotli
        ? new BrotliContentEncoder(target, quality: 4, window: 18)
        : new GzipContentEncoder(target, System.IO.Compression.CompressionLevel.Optimal);

    /// <summary>Takes a piece; what becomes of it need not be complete before <see cref="Flush"/>.</summary>
    public abstract void Write(ReadOnlySpan<byte> source);

    /// <summary>Makes everything so far decodable.</summary>
    public abstract void Flush();

    /// <summary>Writes what comes last.</summary>
    public abstract void Finish();

    /// <inheritdoc/>
    public abstract void Dispose();
}
