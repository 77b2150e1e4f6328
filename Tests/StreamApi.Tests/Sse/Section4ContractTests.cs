using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Net.WebSockets;
using System.Text.Json;
using AspireStreaming.StreamApi.Connections;
using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.TestSupport;
using AspireStreaming.V1;
using Grpc.Core;
using Grpc.Net.Client;

namespace AspireStreaming.StreamApi.Tests.Sse;

/// <summary>
/// The sentences of the contract's section 4 that <see cref="SseContractTests"/>, <see cref="SseLifecycleTests"/>,
/// <see cref="MultiStreamTests"/> and the tests of pages, admission and lifetimes do not have.
/// </summary>
public sealed class Section4ContractTests(RedisFixture redis, SharedHost shared) : IDisposable
{
    private readonly TestLog _log = new(redis.Process.ConnectionString);
    private readonly string _stream = TestLog.NewStream();

    private string Path => $"/streams/{_stream}/events";

    public void Dispose() => _log.Dispose();

    [Fact]
    public void Defaults_are_those_of_the_contract()
    {
        var delivery = new DeliveryOptions();
        var admission = new AdmissionOptions();

        Assert.Equal(1_000, delivery.MaxConnections);
        Assert.Equal(100, admission.MaxConnectionsPerAddress);
        Assert.False(admission.LimitLoopback);
        Assert.Empty(admission.TrustedProxies);
        Assert.Equal(0.1, admission.PriorityReserve);
        Assert.Equal(TimeSpan.FromSeconds(15), delivery.Heartbeat);
        Assert.InRange(delivery.PositionInterval, TimeSpan.Zero, TimeSpan.FromSeconds(5));
        Assert.Equal(TimeSpan.FromSeconds(30), delivery.WriteTimeout);
        Assert.Equal(TimeSpan.FromMinutes(30), delivery.ConnectionLifetime);
    }

    [Fact]
    public async Task Retry_is_randomised_per_connection()
    {
        var retries = new HashSet<int>();
        for (var connection = 0; connection < 20; connection++)
        {
            await using var client = await shared.Host.OpenAsync(Path);
            retries.Add(int.Parse((await client.ReadAnyAsync())!.Retry!, CultureInfo.InvariantCulture));
        }

        Assert.All(retries, retry => Assert.InRange(retry, 1_000, 5_000));
        Assert.True(retries.Count > 10, "They are spread.");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task Resume_at_a_position_that_exists_is_silent_in_any_epoch(int sequence)
    {
        var old = (await shared.Log.AppendNumbersAsync(_stream, 1, 3)).Last;
        var current = new StreamPosition(old.Epoch + 10, 4);
        await shared.Log.InsertAsync(_stream, current, old, shared.Log.Event(data: "4"), shared.Log.Event(data: "5"));
        await using var client = await shared.Host.OpenAsync(Path, (old with { Sequence = sequence }).ToString());

        Assert.Equal(sequence.ToString(CultureInfo.InvariantCulture), (await client.ReadAsync())!.Id!.Split('-')[1]);
        for (var number = sequence + 1; number <= 3; number++)
        {
            Assert.Equal(number, (await client.ReadAsync())!.Number);
        }

        var border = await client.ReadControlAsync("stream.epoch");
        Assert.Equal($"{{\"stream\":\"{_stream}\",\"previous\":\"{old}\",\"current\":\"{current}\",\"missed\":0}}", border.Data);
        Assert.Equal(4, (await client.ReadAsync())!.Number);
        Assert.Equal(5, (await client.ReadAsync())!.Number);
        await client.ReadControlAsync("stream.caught-up");
    }

    [Fact]
    public async Task Epoch_border_that_nothing_proves_has_missed_null()
    {
        var old = (await shared.Log.AppendNumbersAsync(_stream, 1, 3)).Last;
        var current = new StreamPosition(old.Epoch + 10, 7);
        await shared.Log.InsertAsync(_stream, current, null, shared.Log.Event(data: "7"));
        await using var client = await shared.Host.OpenAsync(Path, old.ToString());

        var frames = new List<SseFrame>();
        SseFrame frame;
        do
        {
            frame = (await client.ReadAsync())!;
            frames.Add(frame);
        }
        while (frame.Event != "T");

        var border = Assert.Single(frames, item => item.Event == "stream.epoch");
        Assert.Equal(JsonValueKind.Null, border.Json.GetProperty("missed").ValueKind);
        Assert.Equal(old.ToString(), border.Json.GetProperty("previous").GetString());
        Assert.Equal(7, frame.Number);
    }

    [Fact]
    public async Task Caught_up_comes_once_per_connection()
    {
        await shared.Log.AppendNumbersAsync(_stream, 1, 2);
        await using var client = await shared.Host.OpenAsync(Path);
        await client.ReadEventAsync();
        await client.ReadEventAsync();
        await client.ReadControlAsync("stream.caught-up");

        for (var number = 3; number <= 6; number++)
        {
            await shared.Log.AppendNumbersAsync(_stream, number, 1);
            Assert.Equal(number, (await client.ReadAsync())!.Number);
        }
    }

    [Fact]
    public async Task Policy_drop_each_run_is_announced_once_in_position_order()
    {
        for (var run = 0; run < 3; run++)
        {
            await shared.Log.AppendNumbersAsync(_stream, (run * 30) + 1, 29);
            await shared.Log.AppendAsync(_stream, shared.Log.Event("ERROR_OCCURRED", ((run + 1) * 30).ToString(CultureInfo.InvariantCulture)));
        }

        await using var client = await shared.Host.OpenAsync($"{Path}?policy=drop&lag=5");
        await client.ReadAsync();

        for (var run = 0; run < 3; run++)
        {
            var dropped = await client.ReadControlAsync("stream.dropped");
            Assert.Equal(29, dropped.Json.GetProperty("missed").GetInt32());
            Assert.EndsWith($"-{(run * 30) + 29}", dropped.Json.GetProperty("to").GetString(), StringComparison.Ordinal);
            Assert.Equal((run + 1) * 30, (await client.ReadAsync())!.Number);
        }

        await client.ReadControlAsync("stream.caught-up");
    }

    [Fact]
    public async Task Slow_client_loses_nothing_and_comes_back_to_live_by_itself()
    {
        const int Events = 240;
        await using var host = await StreamApiHost.StartAsync(redis.Process.ConnectionString, "--Delivery:WindowEvents=16");
        await using var slow = await SseClient.OpenAsync(host.Http, Path, receiveBuffer: 4096);
        await slow.ReadControlAsync("stream.caught-up");
        var padding = new string('x', 50_000);
        for (var number = 1; number <= Events; number++)
        {
            await _log.AppendAsync(_stream, _log.Event(data: $"{{\"n\":{number},\"p\":\"{padding}\"}}"));
        }

        var behind = await OnlyConnectionAsync(host);
        Assert.Equal("catch-up", behind.GetProperty("mode").GetString());
        Assert.InRange(behind.GetProperty("lag").GetInt64(), 17, Events);
        for (var number = 1; number <= Events; number++)
        {
            Assert.Equal(number, (await slow.ReadAsync())!.Json.GetProperty("data").GetProperty("n").GetInt32());
        }

        await Eventually.TrueAsync(
            async () => (await OnlyConnectionAsync(host)).GetProperty("mode").GetString() == "live",
            SseClient.Patience,
            "it is live again",
            TestContext.Current.CancellationToken);
        await _log.AppendAsync(_stream, _log.Event(data: "{\"n\":0}"));
        Assert.Equal(0, (await slow.ReadAsync())!.Json.GetProperty("data").GetProperty("n").GetInt32());
    }

    [Fact]
    public async Task Limit_high_priority_has_a_reserve_on_top()
    {
        await using var host = await StreamApiHost.StartAsync(
            redis.Process.ConnectionString, $"--Auth:Jwt:Secret={TokenIssuer.Secret}", "--Delivery:MaxConnections=2", "--Admission:PriorityReserve=0.5");
        var normal = TokenIssuer.Hs256(TokenIssuer.Claims("""{"sub":"n","subscribe":["*"]}"""));
        var high = TokenIssuer.Hs256(TokenIssuer.Claims("""{"sub":"h","subscribe":["*"],"priority":"high"}"""));
        var statuses = new List<int>();
        var clients = new List<SseClient>();
        foreach (var token in new[] { normal, normal, normal, high, high })
        {
            clients.Add(await host.OpenAsync($"{Path}?access_token={token}"));
            statuses.Add(clients[^1].Status);
        }

        Assert.Equal([200, 200, 503, 200, 503], statuses);
        foreach (var client in clients)
        {
            await client.DisposeAsync();
        }
    }

    [Fact]
    public async Task Limit_sessions_count_too()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        await using var host = await StreamApiHost.StartAsync(
            redis.Process.ConnectionString, "--Admission:MaxConnectionsPerAddress=1", "--Admission:LimitLoopback=true");
        using var first = new ClientWebSocket();
        using var second = new ClientWebSocket();
        second.Options.CollectHttpResponseDetails = true;
        var address = new UriBuilder(host.Http) { Scheme = "ws", Path = "/ws" }.Uri;
        await first.ConnectAsync(address, cancellationToken);

        await Assert.ThrowsAsync<WebSocketException>(() => second.ConnectAsync(address, cancellationToken));
        using var channel = GrpcChannel.ForAddress(host.Grpc);
        using var session = new Streams.StreamsClient(channel).Session(cancellationToken: cancellationToken);
        var refused = await Assert.ThrowsAsync<RpcException>(() => session.ResponseStream.MoveNext(cancellationToken));

        Assert.Equal(HttpStatusCode.TooManyRequests, second.HttpStatusCode);
        Assert.Equal(StatusCode.ResourceExhausted, refused.StatusCode);
        Assert.Equal(1, host.Get<ConnectionRegistry>().Count);
    }

    private static async Task<JsonElement> OnlyConnectionAsync(StreamApiHost host)
    {
        var list = await host.Client.GetFromJsonAsync<JsonElement>("/connections?scope=local", TestContext.Current.CancellationToken);
        return Assert.Single(list.GetProperty("connections").EnumerateArray());
    }
}
