using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using AspireStreaming.StreamApi.Delivery;

namespace AspireStreaming.StreamApi.Connections;

/// <summary>
/// Which of a connection's many followers have something to do, in the order in which they were signalled: a wake of one stream
/// costs a step of one follower, and who is put back goes behind the others. Each item is in it once at most. Signalled by many
/// threads, taken by the connection's loop.
/// </summary>
internal sealed class ReadyQueue<T>(ReaderSignal loop)
    where T : class
{
    private readonly ConcurrentQueue<ItemSignal> _ready = new();

    /// <summary>Whether nobody has something to do.</summary>
    public bool IsEmpty => _ready.IsEmpty;

    /// <summary>The signal that puts an item in and wakes the loop.</summary>
    public ReaderSignal SignalFor(T item) => new ItemSignal(this, item);

    /// <summary>Takes the item that has waited longest.</summary>
    public bool TryTake([NotNullWhen(true)] out T? item)
    {
        if (!_ready.TryDequeue(out var signal))
        {
            item = null;
            return false;
        }

        signal.Taken();
        item = signal.Item;
        return true;
    }

    private sealed class ItemSignal(ReadyQueue<T> queue, T item) : ReaderSignal
    {
        private int _queued;

        public T Item => item;

        public override void Set()
        {
            if (Interlocked.Exchange(ref _queued, 1) == 0)
            {
                queue._ready.Enqueue(this);
                queue.Signal();
            }
        }

        /// <summary>A full fence: what is signalled from now on is seen by the step that follows, or puts the item in again.</summary>
        public void Taken() => Interlocked.Exchange(ref _queued, 0);
    }

    private void Signal() => loop.Set();
}
