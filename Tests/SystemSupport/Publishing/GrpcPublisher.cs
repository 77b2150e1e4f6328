using AspireStreaming.TestSupport.Histories;
using AspireStreaming.V1;
using Google.Protobuf;
using Grpc.Core;

namespace AspireStreaming.SystemSupport.Publishing;

/// <summary>Publishes by gRPC: a call for each batch, or all through one <c>PublishStream</c>.</summary>
public sealed class GrpcPublisher(
    ChannelBase channel, string name, History history, IReadOnlyList<string> streams, bool streaming, TimeSpan? interval = null)
    : LoadPublisher(name, history, streams, interval)
{
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(10);

    private readonly Publisher.PublisherClient _client = new(channel);
    private AsyncDuplexStreamingCall<PublishRequest, PublishResponse>? _call;

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _call?.Dispose();
    }

    protected override async Task<PublishAnswer?> TrySendAsync(string stream, IReadOnlyList<string> ids, CancellationToken cancellationToken)
    {
        var request = new PublishRequest
        {
            Stream = stream,
            Events =
            {
                ids.Select(id => new Event { Id = id, Source = "/tests", Type = "token", Data = ByteString.CopyFromUtf8($$"""{"text":"{{id}}"}""") }),
            },
        };
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(AnswerTimeout);
        try
        {
            var response = streaming ? await ExchangeAsync(request, limit.Token) : await _client.PublishAsync(request, cancellationToken: limit.Token);
            return new PublishAnswer(response.First, response.Last, response.Accepted, response.Duplicates);
        }
        catch (Exception exception) when (exception is RpcException or IOException or InvalidOperationException or OperationCanceledException
            && !cancellationToken.IsCancellationRequested)
        {
            _call?.Dispose();
            _call = null;
            if (exception is RpcException { StatusCode: not (StatusCode.Unavailable or StatusCode.ResourceExhausted or StatusCode.Cancelled or StatusCode.DeadlineExceeded) } wrong
                && !IsBrokenConnection(wrong))
            {
                History.Report(FindingKind.WrongAnswer, stream, Name, wrong.Status.ToString());
            }

            return null;
        }
    }

    /// <summary>A connection that breaks shows as INTERNAL with the reason as its cause, or as UNKNOWN when its end was cut off.</summary>
    private static bool IsBrokenConnection(RpcException exception) =>
        exception.StatusCode is StatusCode.Internal or StatusCode.Unknown && exception.Status.DebugException is not null;

    private async Task<PublishResponse> ExchangeAsync(PublishRequest request, CancellationToken cancellationToken)
    {
        _call ??= _client.PublishStream(cancellationToken: CancellationToken.None);
        await _call.RequestStream.WriteAsync(request, cancellationToken);
        if (!await _call.ResponseStream.MoveNext(cancellationToken))
        {
            throw new IOException("The call ended without an answer.");
        }

        return _call.ResponseStream.Current;
    }
}
