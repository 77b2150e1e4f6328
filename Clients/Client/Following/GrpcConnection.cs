using System.Text;
using AspireStreaming.V1;
using Grpc.Core;

namespace AspireStreaming.Client.Following;

/// <summary>An open call.</summary>
internal sealed class GrpcConnection(AsyncServerStreamingCall<Delivery> call, string stream) : IEventConnection
{
    public string? ResumeToken { get; private set; }

    public TimeSpan? Retry => null;

    /// <summary>Waits until the service has taken the call.</summary>
    public async Task OpenAsync(TimeSpan timeout, TimeProvider time, CancellationToken cancellationToken)
    {
        try
        {
            await call.ResponseHeadersAsync.WaitAsync(timeout, time, cancellationToken);
        }
        catch (RpcException exception)
        {
            throw GrpcFaults.Translate(exception);
        }
    }

    public async ValueTask<StreamItem?> ReadAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (await call.ResponseStream.MoveNext(cancellationToken))
            {
                if (Item(call.ResponseStream.Current) is { } item)
                {
                    return item;
                }
            }

            return null;
        }
        catch (RpcException exception)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw GrpcFaults.Translate(exception);
        }
    }

    public ValueTask DisposeAsync()
    {
        call.Dispose();
        return ValueTask.CompletedTask;
    }

    private StreamItem? Item(Delivery delivery)
    {
        switch (delivery.ItemCase)
        {
            case Delivery.ItemOneofCase.Event:
                ResumeToken = delivery.Event.Position;
                return StreamEvent.Read(GrpcEvents.ToJson(delivery.Event), stream);

            case Delivery.ItemOneofCase.Control:
                var notice = StreamNotice.Read(delivery.Control.Name, Encoding.UTF8.GetBytes(delivery.Control.Json), stream);

                // Before the first event this is the only word on where the cursor stands.
                if (notice is CaughtUpNotice { Position: { } tail } && ResumeToken is null)
                {
                    ResumeToken = tail.ToString();
                }

                notice.ResumeToken = ResumeToken;
                return notice;

            default:
                return null;
        }
    }
}
