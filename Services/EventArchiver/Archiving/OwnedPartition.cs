using AspireStreaming.Archive.Writing;
using AspireStreaming.Streaming;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.EventArchiver.Archiving;

/// <summary>A partition that this replica has claimed. Its lane alone works on it; other threads only read its numbers and ask for its release.</summary>
internal sealed class OwnedPartition(PartitionLease lease)
{
    private volatile bool _releaseRequested;

    /// <summary>0 to 63.</summary>
    public int Number => Lease.Partition;

    /// <summary>The claim; its watermark follows the commits.</summary>
    public PartitionLease Lease { get; private set; } = lease;

    /// <summary>Whether the lane is to give it up between two batches.</summary>
    public bool ReleaseRequested => _releaseRequested;

    /// <summary>What the last commit left to tell Redis; nothing more is read from the partition until Redis was told.</summary>
    public PendingTrim? Trim { get; set; }

    /// <summary>Up to where Redis was told to trim, by this owner.</summary>
    public StreamPosition Trimmed { get; set; }

    /// <summary>Last entry that is in the batch being filled; <c>0-0</c> = read from the start of the log.</summary>
    public StreamPosition ReadThrough { get; set; }

    /// <summary>When an entry that cannot be read may be tried again; a timestamp of the clock.</summary>
    public long BlockedUntil { get; set; }

    /// <summary>Spaces the tries at an entry that cannot be read.</summary>
    public Backoff Backoff { get; } = new();

    /// <summary>Expected bytes of an entry.</summary>
    public double EntryBytes { get; private set; } = 64 << 10;

    /// <summary>Expected events of an entry.</summary>
    public double EntryEvents { get; private set; } = 1;

    /// <summary>Asks the lane to give the partition up.</summary>
    public void RequestRelease() => _releaseRequested = true;

    /// <summary>After a commit.</summary>
    public void MoveTo(StreamPosition watermark) => Lease = Lease with { Watermark = watermark };

    /// <summary>Learns from a read. Estimates rise at once and fall slowly, so that a read seldom brings much more than was meant.</summary>
    public void Learn(int entries, long bytes, long events)
    {
        EntryBytes = Math.Max((double)bytes / entries, EntryBytes / 4);
        EntryEvents = Math.Max((double)events / entries, EntryEvents / 4);
    }
}

/// <summary>What Redis has to be told after a commit.</summary>
/// <param name="Through">Trim the archive log up to here.</param>
/// <param name="CountedBytes">What that takes off the cap of the archive logs.</param>
/// <param name="Streams">Each stream's last archived position.</param>
internal sealed record PendingTrim(StreamPosition Through, long CountedBytes, List<KeyValuePair<string, StreamPosition>> Streams);
