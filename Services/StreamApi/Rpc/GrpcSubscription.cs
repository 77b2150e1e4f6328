using AspireStreaming.StreamApi.Connections;
using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.Streaming.Contracts;
using Grpc.Core;

namespace AspireStreaming.StreamApi.Rpc;

/// <summary>One gRPC subscriber. HTTP/2 flow control paces it; a client that pauses is no failure, so no write of its times out.</summary>
internal sealed class GrpcSubscription(
    HttpContext context, StreamFollower[] followers, SubscriptionServices services, IServerStreamWriter<MessageFrame> output)
    : Subscription("grpc", context, followers, services)
{
    private const int BatchBytes = 64 << 10;

    private readonly Action _abort = context.Abort;
    private readonly FrameBatch _batch = new(context, output, services.Time);

    protected override long Pending => _batch.Pending;

    protected override long FlushBytes => _batch.Scale * BatchBytes;

    protected override bool WritesTimeOut => false;

    public override void Abort() => _abort();

    protected override void WriteOpening(StreamPosition? position)
    {
        // The response's head, sent already, is the answer.
    }

    public override void WriteEvent(StreamFollower follower, EncodedEvent item) => _batch.Add(item);

    public override void WriteControl(StreamFollower follower, ControlEvent control) =>
        _batch.Add(new V1.Delivery { Control = new V1.Control { Name = control.Name, Json = control.Json } });

    public override void WritePosition(StreamFollower follower, StreamPosition position)
    {
        // Only events carry positions here.
    }

    protected override void WriteHeartbeat()
    {
        // HTTP/2 has its own.
    }

    protected override async ValueTask<bool> FlushPendingAsync() => await _batch.FlushAsync() is not null;
}
