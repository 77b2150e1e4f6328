namespace AspireStreaming.StreamApi.Delivery;

/// <summary>Bytes in all windows of the process. Thread-safe.</summary>
internal sealed class WindowBudget(long limit)
{
    private long _used;
    private bool _isMemoryShort;

    /// <summary>Bytes in use.</summary>
    public long Used => Volatile.Read(ref _used);

    /// <summary>Whether windows must shrink.</summary>
    public bool IsExceeded => Used > limit || IsMemoryShort;

    /// <summary>Whether the process as a whole is short of memory.</summary>
    public bool IsMemoryShort
    {
        get => Volatile.Read(ref _isMemoryShort);
        set => Volatile.Write(ref _isMemoryShort, value);
    }

    /// <summary>Counts bytes that a window took, or gave back.</summary>
    public void Add(long bytes) => Interlocked.Add(ref _used, bytes);
}
