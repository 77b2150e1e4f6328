using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.StreamApi.Sessions;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.V1;
using Grpc.Core;

namespace AspireStreaming.StreamApi.Rpc;

/// <summary>A session over gRPC. HTTP/2 flow control paces it; a client that pauses is no failure, so no write of its times out.</summary>
internal sealed class GrpcSession(
    HttpContext context, IAsyncStreamReader<ClientMessage> input, IServerStreamWriter<ServerMessage> output, SessionServices services)
    : Session("grpc", context, services)
{
    private readonly Action _abort = context.Abort;
    private readonly List<ServerMessage> _messages = [];
    private readonly BatchWriter<ServerMessage> _writer = new(output, ResponseCompression.IsWanted(context));
    private long _pending;

    protected override long Pending => _pending;

    protected override bool WritesTimeOut => false;

    public override void Abort() => _abort();

    protected override async Task ReceiveAsync(CancellationToken cancellationToken)
    {
        while (await input.MoveNext(cancellationToken))
        {
            await SubmitAsync(GrpcSessionMessages.Read(input.Current, Commands), cancellationToken);
        }
    }

    protected override void WriteSubscribed(SessionSubscription subscription, StreamPosition position) => Add(
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

    protected override void WriteEvent(SessionSubscription subscription, EncodedEvent item)
    {
        _messages.Add(new ServerMessage { Sub = subscription.Sub, Event = GrpcEvents.ToEvent(item) });
        _pending += item.Json.Length;
    }

    protected override void WriteControl(string? sub, ControlEvent control) =>
        Add(new ServerMessage { Sub = sub ?? "", Control = new Control { Name = control.Name, Json = control.Json } });

    protected override void WritePublished(string sub, IReadOnlyList<Sessions.PublishResult> results) =>
        Add(new ServerMessage { Sub = sub, Published = GrpcSessionMessages.ToPublished(results) });

    protected override void WriteError(string? sub, SessionFault fault, bool ended) => Add(
        new ServerMessage { Sub = sub ?? "", Error = GrpcSessionMessages.ToError(fault, ended) });

    protected override void WritePong() => Add(new ServerMessage { Pong = new SessionPong() });

    protected override async ValueTask<bool> FlushPendingAsync()
    {
        try
        {
            await YieldAfterAsync(await _writer.WriteAsync(_messages));
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

    private void Add(ServerMessage message)
    {
        _messages.Add(message);
        _pending += message.CalculateSize();
    }
}
