using System.Net;
using System.Text.Json.Nodes;
using AspireStreaming.StreamApi.Connections;
using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.TestSupport;
using AspireStreaming.V1;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Net.Client;

namespace AspireStreaming.StreamApi.Tests.Auth;

public sealed class AuthTests(RedisFixture redis) : IAsyncLifetime
{
    private readonly string _stream = TestLog.NewStream("mine");
    private readonly string _other = TestLog.NewStream("other");
    private readonly string _admin = TokenIssuer.Hs256(TokenIssuer.Claims("""{"sub":"root","admin":true}"""));
    private StreamApiHost _host = null!;
    private TestLog _log = null!;
    private GrpcChannel _channel = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private Streams.StreamsClient Client => new(_channel);

    public async ValueTask InitializeAsync()
    {
        _host = await StreamApiHost.StartAsync(
            redis.Process.ConnectionString, $"--Auth:Jwt:Secret={TokenIssuer.Secret}", "--Auth:Jwt:ClockSkew=00:00:00");
        _log = new TestLog(redis.Process.ConnectionString);
        _channel = GrpcChannel.ForAddress(_host.Grpc);
        await _log.AppendNumbersAsync(_stream, 1, 1);
        await _log.AppendNumbersAsync(_other, 1, 1);
    }

    public async ValueTask DisposeAsync()
    {
        _channel.Dispose();
        _log.Dispose();
        await _host.DisposeAsync();
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/app.js")]
    [InlineData("/config.json")]
    [InlineData("/streams")]
    [InlineData("/streams/x")]
    [InlineData("/streams/x/events")]
    [InlineData("/streams/x/audit")]
    [InlineData("/connections")]
    [InlineData("/stats")]
    [InlineData("/metrics")]
    [InlineData("/openapi/v1.json")]
    [InlineData("/nothing/here")]
    public async Task Route_without_a_credential_is_401(string path)
    {
        using var response = await _host.Client.GetAsync(new Uri(path, UriKind.Relative), Cancel);

        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        Assert.Contains(response.Headers.WwwAuthenticate, challenge => challenge.Scheme == "Bearer");
    }

    [Theory]
    [InlineData("/alive")]
    [InlineData("/health")]
    public async Task Probe_needs_no_credential(string path)
    {
        using var response = await _host.Client.GetAsync(new Uri(path, UriKind.Relative), Cancel);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Fact]
    public async Task Reading_a_stream_needs_a_pattern_of_the_claim_subscribe()
    {
        var token = Token();
        foreach (var path in new[] { "/streams/{0}/events", "/streams/{0}" })
        {
            await ExpectAsync(HttpStatusCode.OK, Format(path, _stream), token);
            await ExpectAsync(HttpStatusCode.OK, Format(path, _other), _admin);
            var refused = await ExpectAsync(HttpStatusCode.Forbidden, Format(path, _other), token);
            Assert.Equal(_other, (string?)refused["stream"]);
            Assert.Equal("subscribe", (string?)refused["claim"]);
        }
    }

    [Fact]
    public async Task Connection_of_high_priority_has_a_share_in_the_reserve()
    {
        await using var host = await StreamApiHost.StartAsync(
            redis.Process.ConnectionString,
            $"--Auth:Jwt:Secret={TokenIssuer.Secret}",
            "--Delivery:MaxConnections=1",
            "--Admission:PriorityReserve=1");
        var high = TokenIssuer.Hs256(TokenIssuer.Claims("""{"sub":"vip","subscribe":["*"],"priority":"high"}"""));

        await using var first = await host.OpenAsync($"/streams/{_stream}/events?access_token={Token()}");
        await using var second = await host.OpenAsync($"/streams/{_stream}/events?access_token={Token()}");
        await using var reserved = await host.OpenAsync($"/streams/{_stream}/events?access_token={high}");
        await using var beyond = await host.OpenAsync($"/streams/{_stream}/events?access_token={high}");

        Assert.Equal([200, 503, 200, 503], [first.Status, second.Status, reserved.Status, beyond.Status]);
    }

    [Fact]
    public async Task Listing_has_the_streams_that_the_caller_may_read()
    {
        await _log.AppendNumbersAsync(TestLog.NewStream("mine"), 1, 1);
        for (var number = 0; number < 5; number++)
        {
            await _log.AppendNumbersAsync(TestLog.NewStream("other"), 1, 1);
        }

        var seen = new List<string>();
        for (string? next = ""; next is not null;)
        {
            var page = await ExpectAsync(HttpStatusCode.OK, "/streams?limit=1" + (next.Length > 0 ? "&cursor=" + next : ""), Token());
            seen.AddRange(page["streams"]!.AsArray().Select(stream => (string)stream!["name"]!));
            next = (string?)page["next"];
        }

        var all = await ExpectAsync(HttpStatusCode.OK, "/streams?limit=1000", _admin);
        Assert.Contains(_stream, seen);
        Assert.All(seen, name => Assert.StartsWith("mine-", name, StringComparison.Ordinal));
        Assert.Contains(all["streams"]!.AsArray(), stream => (string)stream!["name"]! == _other);
    }

    [Fact]
    public async Task Session_ends_when_its_token_expires()
    {
        using var socket = new System.Net.WebSockets.ClientWebSocket();
        var address = new UriBuilder(_host.Http) { Scheme = "ws", Path = "/ws", Query = "access_token=" + Token(expiresIn: 3) };
        await socket.ConnectAsync(address.Uri, Cancel);
        var received = new System.Text.StringBuilder();
        var buffer = new byte[4096];
        while (await socket.ReceiveAsync(buffer.AsMemory(), Cancel) is { MessageType: not System.Net.WebSockets.WebSocketMessageType.Close } message)
        {
            received.Append(System.Text.Encoding.UTF8.GetString(buffer, 0, message.Count));
        }

        Assert.Contains("token-expired", received.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Session_is_not_opened_without_a_credential_or_by_the_cookie_from_a_foreign_page()
    {
        foreach (var headers in new (string Name, string Value)[][]
        {
            [],
            [("Cookie", "aspirestreaming=" + Token()), ("Origin", "https://evil.example")],
        })
        {
            using var socket = new System.Net.WebSockets.ClientWebSocket();
            foreach (var (name, value) in headers)
            {
                socket.Options.SetRequestHeader(name, value);
            }

            var refused = await Assert.ThrowsAsync<System.Net.WebSockets.WebSocketException>(
                () => socket.ConnectAsync(new UriBuilder(_host.Http) { Scheme = "ws", Path = "/ws" }.Uri, Cancel));
            Assert.Contains("401", refused.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("/stats")]
    [InlineData("/connections")]
    [InlineData("/metrics")]
    [InlineData("/streams/x/audit")]
    public async Task Operators_route_needs_the_claim_admin(string path)
    {
        var refused = await ExpectAsync(HttpStatusCode.Forbidden, path, Token());

        Assert.Equal("admin", (string?)refused["claim"]);
        using var request = Get(path, _admin);
        using var response = await _host.Client.SendAsync(request, Cancel);
        Assert.NotEqual(HttpStatusCode.Forbidden, response.StatusCode);
    }

    [Fact]
    public async Task Sse_takes_the_token_from_the_query()
    {
        await using var client = await _host.OpenAsync($"/streams/{_stream}/events?access_token={Token()}");
        await using var refused = await _host.OpenAsync($"/streams/{_other}/events?access_token={Token()}");
        await using var anonymous = await _host.OpenAsync($"/streams/{_stream}/events");

        Assert.Equal((200, 403, 401), (client.Status, refused.Status, anonymous.Status));
        Assert.Equal(1, (await client.ReadEventAsync()).Number);
    }

    [Fact]
    public async Task Sse_of_several_streams_needs_the_claim_for_each()
    {
        await using var client = await _host.OpenAsync($"/events?stream={_stream}&access_token={Token()}");
        await using var refused = await _host.OpenAsync($"/events?stream={_stream}&stream={_other}&access_token={Token()}");
        await using var anonymous = await _host.OpenAsync($"/events?stream={_stream}");

        Assert.Equal((200, 403, 401), (client.Status, refused.Status, anonymous.Status));
        Assert.Equal(1, (await client.ReadEventAsync()).Number);
    }

    [Fact]
    public async Task Sse_connection_ends_when_its_token_expires()
    {
        await using var client = await _host.OpenAsync($"/streams/{_stream}/events?access_token={Token(expiresIn: 3)}");
        Assert.Equal(1, (await client.ReadEventAsync()).Number);
        await client.ReadControlAsync("stream.caught-up");

        var drain = await client.ReadControlAsync("stream.drain");

        Assert.Equal("token-expired", drain.Json.GetProperty("reason").GetString());
        Assert.Null(await client.ReadAsync());
        await Eventually.TrueAsync(
            () => _host.Get<ConnectionRegistry>().Count == 0, TimeSpan.FromSeconds(10), "the connection is gone", Cancel);
    }

    [Fact]
    public async Task Grpc_subscription_ends_when_its_token_expires()
    {
        using var call = Client.Subscribe(new SubscribeRequest { Stream = _stream }, With(Token(expiresIn: 3)), cancellationToken: Cancel);
        var items = new List<string>();
        while (await call.ResponseStream.MoveNext(Cancel))
        {
            items.Add(call.ResponseStream.Current.Control is { } control ? control.Name + control.Json : "event");
        }

        Assert.Equal("event", items[0]);
        Assert.StartsWith("stream.drain", items[^1], StringComparison.Ordinal);
        Assert.Contains("token-expired", items[^1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Grpc_call_is_UNAUTHENTICATED_without_a_token_and_PERMISSION_DENIED_without_the_claim()
    {
        var anonymous = await Assert.ThrowsAsync<RpcException>(
            async () => await Client.ReadAsync(new ReadRequest { Stream = _stream }, cancellationToken: Cancel));
        var refused = await Assert.ThrowsAsync<RpcException>(
            async () => await Client.ReadAsync(new ReadRequest { Stream = _other }, With(Token()), cancellationToken: Cancel));
        using var subscription = Client.Subscribe(new SubscribeRequest { Stream = _other }, With(Token()), cancellationToken: Cancel);
        var refusedToo = await Assert.ThrowsAsync<RpcException>(async () => await subscription.ResponseStream.MoveNext(Cancel));
        var page = await Client.ReadAsync(new ReadRequest { Stream = _stream }, With(Token()), cancellationToken: Cancel);

        Assert.Equal(StatusCode.Unauthenticated, anonymous.StatusCode);
        Assert.Equal(StatusCode.PermissionDenied, refused.StatusCode);
        Assert.Equal(StatusCode.PermissionDenied, refusedToo.StatusCode);
        Assert.Single(page.Events);
    }

    [Fact]
    public async Task Grpc_health_needs_no_credential() => Assert.Equal(
        HealthCheckResponse.Types.ServingStatus.Serving,
        (await new Health.HealthClient(_channel).CheckAsync(new HealthCheckRequest(), cancellationToken: Cancel)).Status);

    private static string Token(double expiresIn = 600) =>
        TokenIssuer.Hs256(TokenIssuer.Claims("""{"sub":"reader","subscribe":["mine-*"]}""", expiresIn));

    private static Metadata With(string token) => new() { { "authorization", "Bearer " + token } };

    private static string Format(string path, string stream) => path.Replace("{0}", stream, StringComparison.Ordinal);

    private static HttpRequestMessage Get(string path, string token) =>
        new(HttpMethod.Get, path) { Headers = { Authorization = new("Bearer", token) } };

    private async Task<JsonNode> ExpectAsync(HttpStatusCode status, string path, string token)
    {
        using var request = Get(path, token);
        using var response = await _host.Client.SendAsync(request, Cancel);
        var body = await response.Content.ReadAsStringAsync(Cancel);
        Assert.True(status == response.StatusCode, $"{path}: expected {status}, was {response.StatusCode}: {body}");
        return JsonNode.Parse(body)!;
    }
}
