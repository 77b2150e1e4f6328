using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.StreamApi.Sessions;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.V1;
using Grpc.Core;

namespace AspireStreaming.StreamApi.Rpc;

/// <summary>A session over gRPC. HTTP/2 flow control paces it; a client that pauses is no failure, so no write of its times out.</summary>
internal sealed class GrpcSession : Session
{
    private readonly IAsyncStreamReader<ClientMessage> _input;
    private readonly Action _abort;
    private readonly PipeReader _pipe;
    private readonly FrameBatch _batch;
    private readonly SessionTurns _turns;
    private readonly ReaderSignal _turn;
    private Task<bool?>? _flushing;

    public GrpcSession(
        HttpContext context, IAsyncStreamReader<ClientMessage> input, IServerStreamWriter<MessageFrame> output, SessionServices services)
        : base("grpc", context, services)
    {
        _input = input;
        _abort = context.Abort;
        _pipe = context.Request.BodyReader;
        _batch = new FrameBatch(context, output, services.Time);
        _turns = services.Turns;
        _turn = _turns.TurnOf(Signal);
    }

    protected override long Pending => _batch.Pending;

    protected override int BufferBytes => _batch.Scale * base.BufferBytes;

    protected override bool WritesTimeOut => false;

    public override void Abort() => _abort();

    /// <summary>
    /// Acknowledgements, of which there are many, are taken out of the request's pipe, all that one read brought in one go; any other
    /// message is left in it for the call's own reader.
    /// </summary>
    protected override async Task ReceiveAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var read = await _pipe.ReadAsync(cancellationToken);
            if (read.IsCanceled)
            {
                throw new OperationCanceledException();
            }

            var rest = TakeAcknowledgements(read.Buffer, out var isOther);
            if (!isOther && !read.IsCompleted)
            {
                _pipe.AdvanceTo(rest, read.Buffer.End);
                continue;
            }

            _pipe.AdvanceTo(rest, rest);
            if (!await _input.MoveNext(cancellationToken))
            {
                return;
            }

            await SubmitAsync(GrpcSessionMessages.Read(_input.Current, Commands), cancellationToken);
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

    /// <summary>
    /// With several subscriptions the next batch is written while HTTP/2 sends this one: one session is all that one thread does, and
    /// would else wait for the other half of the time.
    /// </summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    protected override async ValueTask<bool> FlushPendingAsync()
    {
        if (_flushing is { } before)
        {
            _flushing = null;
            if (await before is null)
            {
                return false;
            }

            _batch.Unstage();
        }

        var flushing = FlushBatchAsync();
        if (!flushing.IsCompleted && _batch.CanStage && Subscriptions is { Open: > 1, HasReady: true } && DrainReason is null)
        {
            _flushing = flushing.AsTask();
            _batch.Stage();
            return true;
        }

        if (await flushing is not { } waited)
        {
            return false;
        }

        await YieldAfterAsync(waited);
        return true;
    }

    protected override void Acknowledged() => _turns.Wake(Signal, _turn);

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool?> FlushBatchAsync()
    {
        _turns.Began();
        try
        {
            return await _batch.FlushAsync();
        }
        finally
        {
            _turns.Ended();
        }
    }

    /// <param name="received">What is there.</param>
    /// <param name="isOther">Whether something else comes next; else it is nothing, or the beginning of a message.</param>
    /// <returns>Where the rest begins.</returns>
    private SequencePosition TakeAcknowledgements(ReadOnlySequence<byte> received, out bool isOther)
    {
        Span<byte> copy = stackalloc byte[AckFrame.MaxLength];
        var isTaken = false;
        while (true)
        {
            scoped var front = received.FirstSpan;
            if (front.Length < AckFrame.MaxLength && !received.IsSingleSegment)
            {
                var part = received.Slice(0, Math.Min(received.Length, AckFrame.MaxLength));
                part.CopyTo(copy);
                front = copy[..(int)part.Length];
            }

            var length = AckFrame.Read(front, out var sub, out var position);
            isOther = length < 0 || (length > 0 && !TryAcknowledge(sub, position));
            if (isOther || length == 0)
            {
                break;
            }

            isTaken = true;
            received = received.Slice(length);
        }

        if (isTaken)
        {
            Acknowledged();
        }

        return received.Start;
    }
}
