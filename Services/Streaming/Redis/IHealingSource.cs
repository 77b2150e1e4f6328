using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.Streaming.Redis;

/// <summary>
/// What this process holds of acknowledged events, for the fence to put back after a raise. A seam, because of all programs that use
/// the hot log only publishers hold events.
/// </summary>
public interface IHealingSource
{
    /// <summary>Whether events of earlier partition epochs are held, of which nobody has yet seen that Redis has them.</summary>
    bool HasUnhealed(int partition, long epoch);

    /// <summary>Stages those that Redis does not have.</summary>
    /// <returns>False when the partition's epoch has changed meanwhile.</returns>
    /// <exception cref="Exception">Redis is away; nothing is confirmed.</exception>
    Task<bool> StageAsync(int partition, PartitionEpoch epoch, CancellationToken cancellationToken);

    /// <summary>All that was staged last is in Redis, and in its archive log at or before an ID.</summary>
    void Confirm(int partition, long epoch, StreamPosition logEnd);

    /// <summary>The archive has the partition's archive log up to an ID.</summary>
    void Archived(int partition, StreamPosition watermark);
}
