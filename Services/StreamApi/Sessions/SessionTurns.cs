using AspireStreaming.StreamApi.Connections;
using AspireStreaming.StreamApi.Delivery;

namespace AspireStreaming.StreamApi.Sessions;

/// <summary>
/// Lets gRPC sessions that acknowledgements have woken go on a few at a time. HTTP/2 sends in another work item than the session's, which
/// stands behind everything that is queued: with all sessions woken first, all their batches would lie in memory at once, out of the
/// processor's caches and beyond what the array pool keeps. Thread-safe.
/// </summary>
internal sealed class SessionTurns : ReaderSignal, IThreadPoolWorkItem
{
    /// <summary>
    /// Batches under way before others wait. With two for each processor, one that is being written and one that waits to be sent, a batch
    /// is mostly still in the cache of the processor that sends it.
    /// </summary>
    public static readonly int MaxUnderWay = 2 * Environment.ProcessorCount;

    private readonly ReadyQueue<ReaderSignal> _waiting;
    private int _underWay;
    private int _isQueued;

    public SessionTurns() => _waiting = new ReadyQueue<ReaderSignal>(this);

    /// <summary>Batches that were handed to HTTP/2 and not sent.</summary>
    public int UnderWay => Volatile.Read(ref _underWay);

    /// <summary>Whether somebody waits for a turn.</summary>
    public bool HasWaiting => !_waiting.IsEmpty;

    private bool IsBusy => UnderWay >= MaxUnderWay;

    /// <summary>What to signal when a session's loop has time.</summary>
    public ReaderSignal TurnOf(ReaderSignal loop) => _waiting.SignalFor(loop);

    /// <summary>Wakes a session's loop: in this thread, or in its turn.</summary>
    /// <param name="loop">The loop's signal.</param>
    /// <param name="turn">Its turn, see <see cref="TurnOf"/>.</param>
    public void Wake(ReaderSignal loop, ReaderSignal turn)
    {
        if (IsBusy || HasWaiting)
        {
            turn.Set();
        }
        else
        {
            loop.Set();
        }
    }

    /// <summary>A batch was handed to HTTP/2.</summary>
    public void Began() => Interlocked.Increment(ref _underWay);

    /// <summary>It has been sent, or never will be.</summary>
    public void Ended() => Interlocked.Decrement(ref _underWay);

    /// <summary>Somebody waits for a turn.</summary>
    public override void Set()
    {
        if (Interlocked.Exchange(ref _isQueued, 1) == 0)
        {
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }
    }

    void IThreadPoolWorkItem.Execute()
    {
        // At least one each time, however many batches wait for clients that don't read.
        for (var woken = 0; woken < MaxUnderWay && (woken == 0 || !IsBusy) && _waiting.TryTake(out var loop); woken++)
        {
            loop.Set();
        }

        // A full fence: who came in before it is seen here, who comes after it queues this again.
        Interlocked.Exchange(ref _isQueued, 0);
        if (HasWaiting)
        {
            Set();
        }
    }
}
