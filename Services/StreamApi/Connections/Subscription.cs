using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Connections;

/// <summary>A connection that follows one stream.</summary>
internal abstract class Subscription(string transport, HttpContext context, StreamFollower follower, SubscriptionServices services)
    : DeliveryConnection(transport, follower.Stream, context, services), IFollowerSink
{
    public override IReadOnlyList<StreamFollower> Followers { get; } = [follower];

    public abstract void WriteEvent(StreamFollower follower, EncodedEvent item);

    public abstract void WriteControl(StreamFollower follower, ControlEvent control);

    public abstract void WritePosition(StreamFollower follower, StreamPosition position);

    protected override void Open() => WriteOpening(follower.Open(Signal));

    protected override FollowerState Step()
    {
        var before = Pending;
        var step = follower.Step(this);
        if (step.Events == 0 && step.State is FollowerState.Busy or FollowerState.Idle && TakeDue() && !follower.TryTellPosition(this))
        {
            WriteHeartbeat();
        }

        if (Pending > before)
        {
            Count(step, follower.IsCaughtUp, Pending - before);
        }

        return step.State;
    }

    protected override void TellPositions() => follower.TryTellPosition(this);

    protected override void WriteDrain(int retryMilliseconds, string reason) =>
        WriteControl(follower, ControlEvent.Drain(Stream, retryMilliseconds, reason));

    /// <summary>Writes what comes first; the cursor's start is known or not.</summary>
    /// <param name="position">The start, if it is known.</param>
    protected abstract void WriteOpening(StreamPosition? position);

    /// <summary>Writes a sign of life.</summary>
    protected abstract void WriteHeartbeat();
}
