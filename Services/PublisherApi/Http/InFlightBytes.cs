using Microsoft.Extensions.Options;

namespace AspireStreaming.PublisherApi.Http;

/// <summary>Bounds the memory that bodies of concurrent requests take. Thread-safe.</summary>
internal sealed class InFlightBytes(IOptions<PublisherOptions> options)
{
    private readonly long _limit = options.Value.MaxInFlightBytes;
    private long _bytes;

    public long Current => Interlocked.Read(ref _bytes);

    /// <summary>Takes a share; whoever gets it gives it back with <see cref="Release"/>.</summary>
    public bool TryReserve(long bytes)
    {
        if (Interlocked.Add(ref _bytes, bytes) <= _limit)
        {
            return true;
        }

        Interlocked.Add(ref _bytes, -bytes);
        return false;
    }

    public void Release(long bytes) => Interlocked.Add(ref _bytes, -bytes);
}
