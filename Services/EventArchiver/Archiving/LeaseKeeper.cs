using AspireStreaming.Archive.Writing;
using AspireStreaming.Streaming;
using AspireStreaming.Streaming.Contracts;
using Microsoft.Extensions.Options;

namespace AspireStreaming.EventArchiver.Archiving;

/// <summary>Keeps this replica's claims alive and its share fair: 64 divided by the living replicas, rounded up.</summary>
internal sealed class LeaseKeeper(
    PartitionLeases leases,
    OwnedPartitions owned,
    ArchiverMetrics metrics,
    IOptions<ArchiverOptions> options,
    TimeProvider time,
    ILogger<LeaseKeeper> logger)
{
    /// <summary>How often a replica that has less than its share looks for free partitions.</summary>
    private static readonly TimeSpan ClaimInterval = TimeSpan.FromSeconds(1);

    /// <summary>Renews, claims and asks for releases until told to stop.</summary>
    public async Task RunAsync(CancellationToken stoppingToken)
    {
        var renewal = options.Value.LeaseRenewal;
        var backoff = new Backoff();
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                var wait = renewal;
                try
                {
                    if (!await ShareAsync(stoppingToken) && ClaimInterval < renewal)
                    {
                        wait = ClaimInterval;
                    }

                    backoff.Reset();
                }
                catch (Exception exception) when (!stoppingToken.IsCancellationRequested)
                {
                    // Sooner than the lanes come back, so that they find their claims renewed.
                    var delay = backoff.Next();
                    wait = delay < renewal ? delay : renewal;
                    ArchiverLog.LeaseFailed(logger, exception);
                }

                await Task.Delay(wait, time, stoppingToken);
            }
            catch (Exception) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
        }
    }

    /// <summary>One round.</summary>
    /// <returns>Whether this replica has its share.</returns>
    internal async Task<bool> ShareAsync(CancellationToken cancellationToken)
    {
        var (held, replicas) = await leases.RenewAsync(cancellationToken);
        foreach (var lost in owned.Reconcile(held))
        {
            ArchiverLog.LeaseLost(logger, lost);
        }

        var share = (StreamName.PartitionCount + replicas - 1) / replicas;
        var kept = owned.All.Where(partition => !partition.ReleaseRequested).ToList();
        foreach (var surplus in kept.Skip(share))
        {
            surplus.RequestRelease();
        }

        var have = Math.Min(kept.Count, share);
        if (have < share)
        {
            var claims = await leases.ClaimAsync(share - have, cancellationToken);
            foreach (var (lease, takenOver) in claims)
            {
                owned.Add(lease);
                if (takenOver)
                {
                    metrics.TookOver();
                }
            }

            var orphans = claims.Where(claim => claim.TakenOver).Select(claim => claim.Lease.Partition).Order().ToList();
            if (orphans.Count > 0)
            {
                ArchiverLog.TookOver(logger, orphans.Count, string.Join(' ', orphans));
            }

            have += claims.Count;
            if (claims.Count > 0)
            {
                ArchiverLog.Claimed(logger, claims.Count, have, replicas);
            }
        }

        return have == share;
    }
}
