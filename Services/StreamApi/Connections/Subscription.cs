using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Connections;

/// <summary>A connection that follows one stream.</summary>
/// <param name="transport">The transport.</param>
/// <param name="context">The client's request.</param>
/// <param name="followers">The one follower, in the array that its owner has anyway.</param>
/// <param name="services">What all connections share.</param>
internal abstract class Subscription(string transport, HttpContext context, StreamFollower[] followers, SubscriptionServices services)
    : DeliveryConnection(transport, followers[0].Stream, context, services), IFollowerSink
{
    public sealed override IReadOnlyList<StreamFollower> Followers => followers;

    private StreamFollower Follower => followers[0];

    public abstract void WriteEvent(StreamFollower follower, EncodedEvent item);

    public abstract void WriteControl(StreamFollower follower, ControlEvent control);

    public abstract void WritePosition(StreamFollower follower, StreamPosition position);

    protected override void Open() => WriteOpening(Follower.Open(Signal));

    protected override FollowerState Step()
    {
        var before = Pending;
        var step = Follower.Step(this);
        if (step.Events == 0 && step.State is FollowerState.Busy or FollowerState.Idle && TakeDue() && !Follower.TryTellPosition(this))
        {
            WriteHeartbeat();
        }

        if (Pending > before)
        {
            Count(step, Follower.IsCaughtUp, Pending - before);
        }

        return step.State;
    }

    protected override void TellPositions() => Follower.TryTellPosition(this);

    protected override void WriteDrain(int retryMilliseconds, string reason) =>
        WriteControl(Follower, ControlEvent.Drain(Stream, retryMilliseconds, reason));

    /// <summary>Writes what comes first; the cursor's start is known or not.</summary>
    /// <param name="position">The start, if it is known.</param>
    protected abstract void WriteOpening(StreamPosition? position);

    /// <summary>Writes a sign of life.</summary>
    protected abstract void WriteHeartbeat();
}
