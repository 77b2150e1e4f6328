namespace AspireStreaming.Client;

/// <summary><c>stream.gap</c>: events are missing.</summary>
public sealed class GapNotice : StreamNotice
{
    internal GapNotice(string stream, string json, StreamGap gap)
        : base(stream, "stream.gap", json) => Gap = gap;

    /// <summary>The hole.</summary>
    public StreamGap Gap { get; }

    /// <inheritdoc/>
    public override bool IsLoss => true;
}
