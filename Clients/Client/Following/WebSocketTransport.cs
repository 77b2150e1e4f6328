using System.Net;
using System.Net.WebSockets;
using AspireStreaming.Client.Http;

namespace AspireStreaming.Client.Following;

/// <summary>A session over WebSocket with one subscription.</summary>
/// <param name="service">The Stream API.</param>
/// <param name="handler">The connections; null = ones of its own.</param>
internal sealed class WebSocketTransport(ServiceConnection service, HttpMessageHandler? handler) : IEventTransport, IDisposable
{
    private static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(15);

    private readonly Lazy<HttpMessageInvoker> _invoker = new(() =>
        new HttpMessageInvoker(new UpgradeHandler(service.Uri("ws"), handler ?? Handlers.Create()), disposeHandler: handler is null));

    public Uri Url => service.Uri("ws");

    public string Name => "ws";

    public async Task<IEventConnection?> OpenAsync(FollowRequest request, string? resumeToken, CancellationToken cancellationToken)
    {
        var socket = new ClientWebSocket();
        WebSocketConnection? connection = null;
        try
        {
            socket.Options.KeepAliveInterval = KeepAlive;
            socket.Options.KeepAliveTimeout = KeepAlive;
            socket.Options.CollectHttpResponseDetails = true;
            await AuthoriseAsync(socket, cancellationToken);
            await ConnectAsync(socket, cancellationToken);
            connection = new WebSocketConnection(socket, request, service.Options.IdleTimeout, service.Time);
            await connection.SubscribeAsync(resumeToken, cancellationToken);
            return connection;
        }
        catch
        {
            if (connection is not null)
            {
                await connection.DisposeAsync();
            }

            socket.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        if (_invoker.IsValueCreated)
        {
            _invoker.Value.Dispose();
        }
    }

    private async ValueTask AuthoriseAsync(ClientWebSocket socket, CancellationToken cancellationToken)
    {
        if (await service.AccessTokenAsync(cancellationToken) is { } token)
        {
            socket.Options.SetRequestHeader("Authorization", "Bearer " + token);
        }

        if (service.Options.ApiKey is { } key)
        {
            socket.Options.SetRequestHeader(ServiceConnection.ApiKeyHeader, key);
        }
    }

    private async Task ConnectAsync(ClientWebSocket socket, CancellationToken cancellationToken)
    {
        // What a WebSocket's own address looks like; the handler puts the real one in its place.
        var address = new UriBuilder(Url) { Scheme = Url.Scheme == "https" ? "wss" : "ws" }.Uri;
        using var limit = new CancellationTokenSource(service.Options.RequestTimeout, service.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            await socket.ConnectAsync(address, _invoker.Value, either.Token);
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"{Url} did not answer within {service.Options.RequestTimeout.TotalSeconds:0.#} s", exception);
        }
        catch (WebSocketException exception) when (socket.HttpStatusCode is not (default(HttpStatusCode) or HttpStatusCode.SwitchingProtocols))
        {
            var status = socket.HttpStatusCode;
            throw new ApiException(status, ApiProblem.None, RetryAfter(socket), $"GET /ws: {(int)status} {status}", exception);
        }
    }

    private static TimeSpan? RetryAfter(ClientWebSocket socket)
    {
        var header = socket.HttpResponseHeaders?.FirstOrDefault(static pair => pair.Key.Equals("Retry-After", StringComparison.OrdinalIgnoreCase));
        return int.TryParse(header?.Value?.FirstOrDefault(), out var seconds) && seconds >= 0 ? TimeSpan.FromSeconds(seconds) : null;
    }
}
