using AspireStreaming.Client.Http;
using AspireStreaming.V1;
using Grpc.Core;
using Grpc.Net.Client;

namespace AspireStreaming.Client.Following;

/// <summary>gRPC server streaming.</summary>
/// <param name="service">The Stream API; its credentials count here too.</param>
/// <param name="handler">The connections; null = ones of its own.</param>
internal sealed class GrpcTransport(ServiceConnection service, HttpMessageHandler? handler) : IEventTransport, IDisposable
{
    private readonly Lock _gate = new();
    private HttpClient? _http;
    private GrpcChannel? _channel;

    public Uri Url => service.Options.StreamApiGrpcUrl;

    public string Name => "grpc";

    public async Task<IEventConnection?> OpenAsync(FollowRequest request, string? resumeToken, CancellationToken cancellationToken)
    {
        var metadata = new Metadata();
        if (await service.AccessTokenAsync(cancellationToken) is { } token)
        {
            metadata.Add("authorization", "Bearer " + token);
        }

        if (service.Options.ApiKey is { } key)
        {
            metadata.Add(ServiceConnection.ApiKeyHeader, key);
        }

        var call = new Streams.StreamsClient(Channel()).Subscribe(Message(request, resumeToken), metadata, cancellationToken: CancellationToken.None);
        var connection = new GrpcConnection(call, request.Stream);
        try
        {
            await connection.OpenAsync(service.Options.RequestTimeout, service.Time, cancellationToken);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    public void Dispose()
    {
        _channel?.Dispose();
        _http?.Dispose();
    }

    private static SubscribeRequest Message(FollowRequest request, string? resumeToken)
    {
        var message = new SubscribeRequest
        {
            Stream = request.Stream,
            From = resumeToken ?? request.Options.From?.ToString() ?? "",
            Policy = request.Policy ?? "",
            Lag = request.Options.Lag ?? 0,
        };
        message.Types_.AddRange(request.Options.Types);
        return message;
    }

    private GrpcChannel Channel()
    {
        lock (_gate)
        {
            // As a client, for behind a bare handler the channel looks for sockets of its own to connect, and then the address would
            // be looked up as it is and not by the handlers in between, which may know better.
            _http ??= new HttpClient(handler ?? Handlers.Create(), disposeHandler: handler is null) { Timeout = Timeout.InfiniteTimeSpan };
            return _channel ??= GrpcChannel.ForAddress(
                Url, new GrpcChannelOptions { HttpClient = _http, MaxReceiveMessageSize = SseReader.DefaultMaxFrameBytes });
        }
    }
}
