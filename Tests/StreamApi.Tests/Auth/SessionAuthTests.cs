using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.TestSupport;
using AspireStreaming.V1;
using Grpc.Core;
using Grpc.Net.Client;

namespace AspireStreaming.StreamApi.Tests.Auth;

public sealed class SessionAuthTests(RedisFixture redis) : IAsyncLifetime
{
    private readonly string _stream = TestLog.NewStream("mine");
    private readonly string _other = TestLog.NewStream("other");
    private StreamApiHost _host = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _host = await StreamApiHost.StartAsync(
        redis.Process.ConnectionString,
        $"--Auth:Jwt:Secret={TokenIssuer.Secret}",
        "--Auth:Jwt:ClockSkew=00:00:00",
        "--Delivery:Heartbeat=00:00:00.200");

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task Grpc_session_asks_per_subscription()
    {
        using var channel = GrpcChannel.ForAddress(_host.Grpc);
        using var call = new Streams.StreamsClient(channel).Session(
            new Metadata { { "authorization", $"Bearer {Token()}" } }, cancellationToken: Cancel);
        await call.RequestStream.WriteAsync(new ClientMessage { Subscribe = new SessionSubscribe { Sub = "1", Stream = _other } }, Cancel);
        await call.RequestStream.WriteAsync(new ClientMessage { Subscribe = new SessionSubscribe { Sub = "2", Stream = _stream } }, Cancel);

        await call.ResponseStream.MoveNext(Cancel);
        var refused = call.ResponseStream.Current;
        await call.ResponseStream.MoveNext(Cancel);

        Assert.Equal(("1", 403), (refused.Sub, refused.Error.Status));
        Assert.Equal(ServerMessage.MessageOneofCase.Subscribed, call.ResponseStream.Current.MessageCase);
    }

    [Fact]
    public async Task Websocket_takes_the_token_from_the_query_asks_per_subscription_and_ends_with_the_token()
    {
        using var anonymous = new ClientWebSocket();
        var refused = await Assert.ThrowsAsync<WebSocketException>(
            () => anonymous.ConnectAsync(new Uri($"ws://{_host.Http.Authority}/ws"), Cancel));
        using var socket = new ClientWebSocket();
        await socket.ConnectAsync(new Uri($"ws://{_host.Http.Authority}/ws?access_token={Token(expiresIn: 3)}"), Cancel);

        await SendAsync(socket, $$"""{"type":"subscribe","sub":"1","stream":"{{_other}}"}""");
        var error = await ReadAsync(socket);
        await SendAsync(socket, $$"""{"type":"subscribe","sub":"2","stream":"{{_stream}}"}""");
        var subscribed = await ReadAsync(socket);
        var caughtUp = await ReadAsync(socket);
        var drain = await ReadAsync(socket);

        Assert.Contains("401", refused.Message, StringComparison.Ordinal);
        Assert.Equal(("1", 403), (error.GetProperty("sub").GetString(), error.GetProperty("status").GetInt32()));
        Assert.Equal("subscribed", subscribed.GetProperty("type").GetString());
        Assert.Equal("stream.caught-up", caughtUp.GetProperty("name").GetString());
        Assert.Equal("token-expired", drain.GetProperty("data").GetProperty("reason").GetString());
    }

    private static string Token(double expiresIn = 600) =>
        TokenIssuer.Hs256(TokenIssuer.Claims("""{"sub":"reader","subscribe":["mine-*"]}""", expiresIn));

    private static Task SendAsync(ClientWebSocket socket, string message) =>
        socket.SendAsync(Encoding.UTF8.GetBytes(message), WebSocketMessageType.Text, true, Cancel);

    private static async Task<JsonElement> ReadAsync(ClientWebSocket socket)
    {
        var buffer = new byte[64 << 10];
        var result = await socket.ReceiveAsync(buffer, Cancel).WaitAsync(SseClient.Patience, TimeProvider.System, Cancel);
        return JsonDocument.Parse(buffer.AsMemory(0, result.Count)).RootElement;
    }
}
