using System.Buffers;
using System.Net.WebSockets;
using System.Runtime.CompilerServices;
using AspireStreaming.StreamApi.Connections;
using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Sessions.WebSockets;

/// <summary>A session over WebSocket: one JSON object a text message.</summary>
internal sealed class WebSocketSession(HttpContext context, WebSocket socket, UpgradedStream output, SessionServices services)
    : Session("ws", context, services)
{
    private const int ReceiveBytes = 1 << 10;
    private const int LongBytes = 16 << 10;

    private static readonly TimeSpan ClosePatience = TimeSpan.FromSeconds(2);

    private readonly SessionJson _json = new();
    private readonly Action _abort = context.Abort;
    private BatchScale _scale = new();

    protected override long Pending => output.Pending;

    protected override int BufferBytes => _scale.Value * base.BufferBytes;

    public override void Abort() => _abort();

    protected override async Task FinishAsync(string outcome)
    {
        if (socket.State is not (WebSocketState.Open or WebSocketState.CloseReceived))
        {
            return;
        }

        using var patience = new CancellationTokenSource(ClosePatience, Services.Time);
        try
        {
            var isAnswer = socket.State == WebSocketState.CloseReceived;
            await socket.CloseOutputAsync(
                isAnswer ? WebSocketCloseStatus.NormalClosure : WebSocketCloseStatus.EndpointUnavailable, isAnswer ? null : outcome, patience.Token);

            // Until the client's own close came, its messages are read and passed over.
            await InputEnded.WaitAsync(ClosePatience, Services.Time);
        }
        catch (Exception exception) when (exception is WebSocketException or IOException or OperationCanceledException or TimeoutException)
        {
            // It does not matter any more.
        }
    }

    protected override async Task ReceiveAsync(CancellationToken cancellationToken)
    {
        output.Taken = Acknowledged;
        output.Taker = message => SessionJsonReader.TryReadAck(message, out var sub, out var position) && TryAcknowledge(sub, position);
        var small = new byte[ReceiveBytes];
        while (true)
        {
            var first = await socket.ReceiveAsync(small.AsMemory(), cancellationToken);
            if (first.MessageType == WebSocketMessageType.Close)
            {
                return;
            }

            if (first.EndOfMessage)
            {
                await SubmitAsync(Read(first.MessageType, small.AsSpan(0, first.Count)), cancellationToken);
            }
            else
            {
                await ReceiveLongAsync(first, small, cancellationToken);
            }
        }
    }

    protected override void WriteSubscribed(SessionSubscription subscription, StreamPosition position) =>
        output.AddMessage(_json.Subscribed(subscription, position));

    protected override void WriteEvent(SessionSubscription subscription, EncodedEvent item)
    {
        var prefix = (byte[])(subscription.WrittenName ??= SessionJson.EventPrefix(subscription.Sub));
        output.AddMessage(prefix, item.Json.Span, "}"u8);
    }

    protected override void WriteControl(string? sub, ControlEvent control) => output.AddMessage(_json.Control(sub, control));

    protected override void WritePublished(string sub, IReadOnlyList<PublishResult> results) => output.AddMessage(_json.Published(sub, results));

    protected override void WriteError(string? sub, SessionFault fault, bool ended) => output.AddMessage(_json.Error(sub, fault, ended));

    protected override void WritePong() => output.AddMessage(SessionJson.Pong);

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    protected override async ValueTask<bool> FlushPendingAsync()
    {
        try
        {
            var began = Services.Time.GetTimestamp();
            if (await output.FlushMessagesAsync() is not { } waited)
            {
                return false;
            }

            _scale.Sent(Services.Time.GetElapsedTime(began));
            await YieldAfterAsync(waited);
            return true;
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException or ObjectDisposedException)
        {
            return false;
        }
    }

    private SessionCommand Read(WebSocketMessageType type, ReadOnlySpan<byte> message) => type == WebSocketMessageType.Text
        ? SessionJsonReader.Read(message, Commands)
        : new RefusedCommand(null, SessionFault.NotUnderstood("Messages are text, not binary."));

    /// <summary>Reads the rest of a message; what is longer than a message may be is passed over.</summary>
    private async Task ReceiveLongAsync(ValueWebSocketReceiveResult result, byte[] small, CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(Math.Min(LongBytes, Commands.MaxFrameBytes));
        try
        {
            small.AsSpan(0, result.Count).CopyTo(buffer);
            var length = result.Count;
            var isTooLarge = false;
            while (!result.EndOfMessage)
            {
                if (length == buffer.Length && !isTooLarge)
                {
                    isTooLarge = length >= Commands.MaxFrameBytes;
                    buffer = isTooLarge ? buffer : Grow(buffer, length);
                }

                result = await socket.ReceiveAsync(isTooLarge ? small.AsMemory() : buffer.AsMemory(length), cancellationToken);
                length += isTooLarge ? 0 : result.Count;
            }

            await SubmitAsync(
                isTooLarge || length > Commands.MaxFrameBytes
                    ? new RefusedCommand(null, SessionFault.TooLarge(Commands.MaxFrameBytes))
                    : Read(result.MessageType, buffer.AsSpan(0, length)),
                cancellationToken);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private byte[] Grow(byte[] buffer, int length)
    {
        var larger = ArrayPool<byte>.Shared.Rent((int)Math.Min(buffer.Length * 2L, Commands.MaxFrameBytes + 1L));
        buffer.AsSpan(0, length).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(buffer);
        return larger;
    }
}
