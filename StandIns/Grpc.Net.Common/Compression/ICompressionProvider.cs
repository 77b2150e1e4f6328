using System.IO.Compression;

namespace Grpc.Net.Compression;

/// <summary>One message encoding (<c>grpc-encoding</c>).</summary>
public interface ICompressionProvider
{
    string EncodingName { get; }

    /// <summary>Compresses into <paramref name="stream"/>, which stays open.</summary>
    Stream CreateCompressionStream(Stream stream, CompressionLevel? compressionLevel);

    Stream CreateDecompressionStream(Stream stream);
}
