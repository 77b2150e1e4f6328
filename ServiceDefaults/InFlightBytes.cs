namespace AspireStreaming.ServiceDefaults;

/// <summary>Bounds the memory that requests under way take together. Thread-safe.</summary>
/// <param name="limit">Most bytes at a time.</param>
public sealed class InFlightBytes(long limit)
{
    private long _bytes;

    /// <summary>Bytes taken.</summary>
    public long Current => Interlocked.Read(ref _bytes);

    /// <summary>Takes a share if it is there; whoever gets it gives it back with <see cref="Release"/>.</summary>
    public bool TryReserve(long bytes)
    {
        if (Interlocked.Add(ref _bytes, bytes) <= limit)
        {
            return true;
        }

        Interlocked.Add(ref _bytes, -bytes);
        return false;
    }

    /// <summary>Gives a share back.</summary>
    public void Release(long bytes) => Interlocked.Add(ref _bytes, -bytes);
}
