using AspireStreaming.Archive.Writing;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.EventArchiver.Archiving;

/// <summary>The partitions that this replica works on. Thread-safe; readers get snapshots.</summary>
internal sealed class OwnedPartitions
{
    private readonly Lock _lock = new();
    private readonly OwnedPartition?[] _byNumber = new OwnedPartition?[StreamName.PartitionCount];
    private volatile OwnedPartition[] _all = [];

    /// <summary>All of them, in order.</summary>
    public IReadOnlyList<OwnedPartition> All => _all;

    /// <summary>Those of a lane, in order.</summary>
    public List<OwnedPartition> OfLane(int lane, int lanes)
    {
        var mine = new List<OwnedPartition>();
        foreach (var partition in _all)
        {
            if (partition.Number % lanes == lane)
            {
                mine.Add(partition);
            }
        }

        return mine;
    }

    /// <summary>Brings the set in line with the database: what another replica has claimed goes, what is missing here comes.</summary>
    /// <returns>Numbers of the partitions that went.</returns>
    public List<int> Reconcile(IReadOnlyList<PartitionLease> leases)
    {
        var lost = new List<int>();
        lock (_lock)
        {
            var fences = new long[StreamName.PartitionCount];
            foreach (var lease in leases)
            {
                fences[lease.Partition] = lease.Fence;
                if (_byNumber[lease.Partition] is null)
                {
                    _byNumber[lease.Partition] = new OwnedPartition(lease);
                }
            }

            for (var number = 0; number < _byNumber.Length; number++)
            {
                if (_byNumber[number] is { } partition && partition.Lease.Fence != fences[number])
                {
                    _byNumber[number] = null;
                    lost.Add(number);
                }
            }

            PublishLocked();
        }

        return lost;
    }

    /// <summary>Adds a new claim.</summary>
    public void Add(PartitionLease lease)
    {
        lock (_lock)
        {
            _byNumber[lease.Partition] = new OwnedPartition(lease);
            PublishLocked();
        }
    }

    /// <summary>Takes a partition out, unless it has been claimed anew since.</summary>
    public void Remove(OwnedPartition partition)
    {
        lock (_lock)
        {
            if (_byNumber[partition.Number] == partition)
            {
                _byNumber[partition.Number] = null;
                PublishLocked();
            }
        }
    }

    private void PublishLocked() => _all = [.. _byNumber.OfType<OwnedPartition>()];
}
