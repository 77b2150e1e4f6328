using AspireStreaming.StreamApi.Connections;
using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.Streaming.Contracts;
using Grpc.Core;

namespace AspireStreaming.StreamApi.Rpc;

/// <summary>One gRPC subscriber. HTTP/2 flow control paces it; a client that pauses is no failure, so no write of its times out.</summary>
internal sealed class GrpcSubscription(
    HttpContext context, StreamFollower follower, SubscriptionServices services, IServerStreamWriter<V1.Delivery> output)
    : Subscription("grpc", context, follower, services)
{
    private readonly Action _abort = context.Abort;
    private readonly List<V1.Delivery> _messages = [];
    private readonly BatchWriter<V1.Delivery> _writer = new(output, ResponseCompression.IsWanted(context));
    private long _pending;

    protected override long Pending => _pending;

    protected override bool WritesTimeOut => false;

    public override void Abort() => _abort();

    protected override void WriteOpening(StreamPosition? position)
    {
        // The response's head, sent already, is the answer.
    }

    public override void WriteEvent(StreamFollower follower, EncodedEvent item) => Add(GrpcEvents.ToDelivery(item), item.Json.Length);

    public override void WriteControl(StreamFollower follower, ControlEvent control) =>
        Add(new V1.Delivery { Control = new V1.Control { Name = control.Name, Json = control.Json } }, control.Json.Length);

    public override void WritePosition(StreamFollower follower, StreamPosition position)
    {
        // Only events carry positions here.
    }

    protected override void WriteHeartbeat()
    {
        // HTTP/2 has its own.
    }

    protected override async ValueTask<bool> FlushPendingAsync()
    {
        try
        {
            await _writer.WriteAsync(_messages);
            return true;
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException or InvalidOperationException or RpcException)
        {
            return false;
        }
        finally
        {
            _messages.Clear();
            _pending = 0;
        }
    }

    private void Add(V1.Delivery message, int size)
    {
        _messages.Add(message);
        _pending += size;
    }
}
