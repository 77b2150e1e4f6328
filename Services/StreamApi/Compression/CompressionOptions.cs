using System.ComponentModel.DataAnnotations;

namespace AspireStreaming.StreamApi.Compression;

/// <summary>Settings of compressed answers; section <c>Compression</c>.</summary>
public sealed class CompressionOptions
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "Compression";

    /// <summary>Whether a client that asks for it (<c>Accept-Encoding</c>) gets its answer compressed. Default true.</summary>
    public bool Enabled { get; set; } = true;

    /// <summary>
    /// Most live connections of this replica that are compressed at once; further ones are served as they are. A compressor keeps a
    /// third of a MiB for as long as its connection lives. 0 (pages only) to 100,000, default 200.
    /// </summary>
    [Range(0, 100_000)]
    public int MaxConnections { get; set; } = 200;

    /// <summary>Pages of fewer bytes are not compressed. 0 to 1 GiB, default 1,024.</summary>
    [Range(0, 1 << 30)]
    public int MinPageBytes { get; set; } = 1_024;
}
