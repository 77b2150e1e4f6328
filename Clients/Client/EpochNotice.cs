namespace AspireStreaming.Client;

/// <summary><c>stream.epoch</c>: what follows is of a new epoch.</summary>
public sealed class EpochNotice : StreamNotice
{
    internal EpochNotice(string stream, string json, StreamPosition? previous, StreamPosition? current, long? missed)
        : base(stream, "stream.epoch", json)
    {
        Previous = previous;
        Current = current;
        Missed = missed;
    }

    /// <summary>The last position before the border.</summary>
    public StreamPosition? Previous { get; }

    /// <summary>The first position behind it.</summary>
    public StreamPosition? Current { get; }

    /// <summary>0 when it is proven that nothing is missing between; null when that cannot be known.</summary>
    public long? Missed { get; }

    /// <inheritdoc/>
    public override bool IsLoss => Missed != 0;
}
