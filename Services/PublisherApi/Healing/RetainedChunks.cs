namespace AspireStreaming.PublisherApi.Healing;

/// <summary>
/// Memory in which events are kept: large pieces that are used again, so that what is kept for a second or a minute is not copied from
/// generation to generation by the collector, which was a sixth of a busy publisher's time. Thread-safe.
/// </summary>
/// <param name="maxSpareBytes">How much of it stays for later when it is not needed.</param>
internal sealed class RetainedChunks(long maxSpareBytes)
{
    /// <summary>Bytes of a piece. Each partition has one that is not full.</summary>
    public const int ChunkBytes = 16 << 10;

    private readonly Lock _lock = new();
    private readonly Stack<byte[]> _spare = new();

    /// <summary>Pieces that wait to be used again.</summary>
    public int Spare
    {
        get
        {
            lock (_lock)
            {
                return _spare.Count;
            }
        }
    }

    /// <summary>A piece for at least so many bytes.</summary>
    public RetainedChunk Take(int bytes)
    {
        if (bytes > ChunkBytes)
        {
            return new RetainedChunk(GC.AllocateUninitializedArray<byte>(bytes));
        }

        lock (_lock)
        {
            if (_spare.TryPop(out var spare))
            {
                return new RetainedChunk(spare);
            }
        }

        return new RetainedChunk(GC.AllocateUninitializedArray<byte>(ChunkBytes));
    }

    /// <summary>Nothing is kept in a piece any more.</summary>
    public void Return(RetainedChunk chunk)
    {
        if (chunk.Bytes.Length != ChunkBytes)
        {
            return;
        }

        lock (_lock)
        {
            if (_spare.Count < maxSpareBytes / ChunkBytes)
            {
                _spare.Push(chunk.Bytes);
            }
        }
    }
}

/// <summary>A piece of such memory, which one partition uses under its lock.</summary>
internal sealed class RetainedChunk(byte[] bytes)
{
    public byte[] Bytes { get; } = bytes;

    /// <summary>Bytes at its beginning that were given away.</summary>
    public int Used { get; set; }

    /// <summary>Records in it that are still kept.</summary>
    public int Live { get; set; }
}
