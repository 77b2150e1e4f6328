using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.Archive.Writing;

/// <summary>A claimed partition.</summary>
/// <param name="Partition">0 to 63.</param>
/// <param name="Fence">The number that this claim was given.</param>
/// <param name="Watermark">ID of the last entry of its archive log that is archived.</param>
internal readonly record struct PartitionLease(int Partition, long Fence, StreamPosition Watermark);

/// <summary>How far a batch gets in a partition's archive log.</summary>
internal sealed class PartitionAdvance(int partition, long fence, StreamPosition watermark)
{
    public int Partition { get; } = partition;

    public long Fence { get; } = fence;

    /// <summary>The watermark after the commit. It never falls, also where an older log came back.</summary>
    public StreamPosition Watermark { get; private set; } = watermark;

    /// <summary>The last entry of the log that is in the batch, and up to which the log may be trimmed.</summary>
    public StreamPosition Through { get; private set; }

    /// <summary>What the entries counted against the cap of the archive logs.</summary>
    public long CountedBytes { get; private set; }

    /// <summary>Number of entries.</summary>
    public int Entries { get; private set; }

    public void Advance(StreamPosition id, long countedBytes)
    {
        Through = id;
        Watermark = id > Watermark ? id : Watermark;
        CountedBytes += countedBytes;
        Entries++;
    }
}
