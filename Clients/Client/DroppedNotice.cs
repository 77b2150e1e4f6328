namespace AspireStreaming.Client;

/// <summary><c>stream.dropped</c>: events were skipped because the subscriber chose <see cref="DeliveryPolicy.Drop"/> and fell behind.</summary>
public sealed class DroppedNotice : StreamNotice
{
    internal DroppedNotice(string stream, string json, StreamGap skipped)
        : base(stream, "stream.dropped", json) => Skipped = skipped;

    /// <summary>What was skipped.</summary>
    public StreamGap Skipped { get; }

    /// <inheritdoc/>
    public override bool IsLoss => true;
}
