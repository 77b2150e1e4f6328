namespace AspireStreaming.StreamApi.Delivery;

/// <summary>Wakes a reader of a stream; merges with a signal that the reader has not taken yet. Thread-safe.</summary>
internal abstract class ReaderSignal
{
    /// <summary>Signals.</summary>
    public abstract void Set();
}
