namespace AspireStreaming.StreamApi.Delivery;

/// <summary>The signals of a stream's readers. Thread-safe.</summary>
internal sealed class ReaderSignals : IThreadPoolWorkItem
{
    /// <summary>
    /// Readers whom the thread that appends wakes itself. More of them are woken by a work item, one at a time however many appends
    /// ask for it: the longer a pass takes, the more events the next one delivers at once.
    /// </summary>
    private const int InlineReaders = 4;

    /// <summary>
    /// Readers that are woken before others have the thread. HTTP/2 sends in another work item than the reader's: with all readers
    /// woken first, all their batches would lie in memory at once, out of the processor's caches.
    /// </summary>
    private const int ReadersATurn = 4;

    private readonly Lock _lock = new();
    private readonly HashSet<ReaderSignal> _signals = [];
    private ReaderSignal[]? _snapshot;
    private int _pulses;
    private int _served;
    private int _next;
    private ReaderSignal[] _turn = [];

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
        if (_next >= _turn.Length)
        {
            _served = Volatile.Read(ref _pulses);
            _turn = Snapshot();
            _next = 0;
        }

        var end = Math.Min(_next + ReadersATurn, _turn.Length);
        while (_next < end)
        {
            _turn[_next++].Set();
        }

        if (_next == _turn.Length)
        {
            // Who leaves meanwhile is not held.
            _turn = [];
            _next = 0;
            if (Interlocked.Add(ref _pulses, -_served) == 0)
            {
                return;
            }
        }

        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    private ReaderSignal[] Snapshot()
    {
        lock (_lock)
        {
            return _snapshot ??= [.. _signals];
        }
    }
}
