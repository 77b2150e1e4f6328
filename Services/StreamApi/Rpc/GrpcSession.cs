using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.StreamApi.Sessions;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.V1;
using Grpc.Core;

namespace AspireStreaming.StreamApi.Rpc;

/// <summary>A session over gRPC. HTTP/2 flow control paces it; a client that pauses is no failure, so no write of its times out.</summary>
internal sealed class GrpcSession(
    HttpContext context, IAsyncStreamReader<ClientMessage> input, IServerStreamWriter<MessageFrame> output, SessionServices services)
    : Session("grpc", context, services)
{
    private readonly Action _abort = context.Abort;
    private readonly FrameBatch _batch = new(context, output, services.Time);

    protected override long Pending => _batch.Pending;

    protected override int BufferBytes => _batch.Scale * base.BufferBytes;

    protected override bool WritesTimeOut => false;

    public override void Abort() => _abort();

    protected override async Task ReceiveAsync(CancellationToken cancellationToken)
    {
        while (await input.MoveNext(cancellationToken))
        {
            await SubmitAsync(GrpcSessionMessages.Read(input.Current, Commands), cancellationToken);
        }
    }

    protected override void WriteSubscribed(SessionSubscription subscription, StreamPosition position) => _batch.Add(
        new ServerMessage
        {
            Sub = subscription.Sub,
            Subscribed = new SessionSubscribed
            {
                Position = position.ToString(),
                Window = subscription.Window.Limit,
                Adaptive = subscription.Window.IsAdaptive,
            },
        });

    protected override void WriteEvent(SessionSubscription subscription, EncodedEvent item) =>
        _batch.Add((byte[])(subscription.WrittenName ??= MessageFrame.SessionHead(subscription.Sub)), item);

    protected override void WriteControl(string? sub, ControlEvent control) =>
        _batch.Add(new ServerMessage { Sub = sub ?? "", Control = new Control { Name = control.Name, Json = control.Json } });

    protected override void WritePublished(string sub, IReadOnlyList<Sessions.PublishResult> results) =>
        _batch.Add(new ServerMessage { Sub = sub, Published = GrpcSessionMessages.ToPublished(results) });

    protected override void WriteError(string? sub, SessionFault fault, bool ended) => _batch.Add(
        new ServerMessage { Sub = sub ?? "", Error = GrpcSessionMessages.ToError(fault, ended) });

    protected override void WritePong() => _batch.Add(new ServerMessage { Pong = new SessionPong() });

    protected override async ValueTask<bool> FlushPendingAsync()
    {
        if (await _batch.FlushAsync() is not { } waited)
        {
            return false;
        }

        await YieldAfterAsync(waited);
        return true;
    }
}
