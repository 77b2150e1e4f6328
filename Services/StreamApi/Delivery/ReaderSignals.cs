namespace AspireStreaming.StreamApi.Delivery;

/// <summary>The signals of a stream's readers. Thread-safe.</summary>
internal sealed class ReaderSignals : IThreadPoolWorkItem
{
    /// <summary>
    /// Readers whom the thread that appends wakes itself. More of them are woken by a work item, one at a time however many appends
    /// ask for it: the longer a pass takes, the more events the next one delivers at once.
    /// </summary>
    private const int InlineReaders = 4;

    private readonly Lock _lock = new();
    private readonly HashSet<ReaderSignal> _signals = [];
    private ReaderSignal[]? _snapshot;
    private int _pulses;

    /// <summary>Number of readers.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _signals.Count;
            }
        }
    }

    /// <summary>Adds a reader.</summary>
    public void Add(ReaderSignal reader)
    {
        lock (_lock)
        {
            _signals.Add(reader);
            _snapshot = null;
        }
    }

    /// <summary>Removes a reader.</summary>
    public void Remove(ReaderSignal reader)
    {
        lock (_lock)
        {
            _signals.Remove(reader);
            _snapshot = null;
        }
    }

    /// <summary>Wakes all readers.</summary>
    /// <param name="inline">Whether this thread may do it itself.</param>
    public void Pulse(bool inline = true)
    {
        var readers = Snapshot();
        if (readers.Length == 0)
        {
            return;
        }

        if (inline && readers.Length <= InlineReaders)
        {
            foreach (var reader in readers)
            {
                reader.Set();
            }
        }
        else if (Interlocked.Increment(ref _pulses) == 1)
        {
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }
    }

    void IThreadPoolWorkItem.Execute()
    {
        int served;
        do
        {
            served = Volatile.Read(ref _pulses);
            foreach (var reader in Snapshot())
            {
                reader.Set();
            }
        }
        while (Interlocked.Add(ref _pulses, -served) > 0);
    }

    private ReaderSignal[] Snapshot()
    {
        lock (_lock)
        {
            return _snapshot ??= [.. _signals];
        }
    }
}
