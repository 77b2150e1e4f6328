using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using AspireStreaming.StreamApi.Connections;
using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.TestSupport;
using AspireStreaming.V1;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace AspireStreaming.StreamApi.Tests.Connections;

public sealed class AdmissionTests(RedisFixture redis) : IDisposable
{
    private readonly TestLog _log = new(redis.Process.ConnectionString);
    private readonly string _stream = TestLog.NewStream();

    private string Path => $"/streams/{_stream}/events";

    public void Dispose() => _log.Dispose();

    [Fact]
    public async Task Limit_an_address_with_all_its_connections_gets_429_whatever_the_transport()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        await using var host = await StartAsync("--Admission:MaxConnectionsPerAddress=2", "--Admission:LimitLoopback=true");
        await using var first = await host.OpenAsync(Path);
        var second = await host.OpenAsync($"/events?stream={_stream}");
        Assert.Equal(200, first.Status);
        Assert.Equal(200, second.Status);

        await using var third = await host.OpenAsync(Path);
        await using var many = await host.OpenAsync($"/events?stream={_stream}");
        using var waiting = await host.Client.GetAsync($"{Path}?wait=5", cancellationToken);
        using var page = await host.Client.GetAsync(Path, cancellationToken);
        using var channel = GrpcChannel.ForAddress(host.Grpc);
        using var call = new Streams.StreamsClient(channel).Subscribe(new SubscribeRequest { Stream = _stream }, cancellationToken: cancellationToken);
        var refused = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(cancellationToken));
        var read = await Assert.ThrowsAsync<RpcException>(
            async () => await new Streams.StreamsClient(channel).ReadAsync(
                new ReadRequest { Stream = _stream, WaitSeconds = 5 }, cancellationToken: cancellationToken));

        Assert.Equal(429, third.Status);
        Assert.Equal("5", third.Headers["Retry-After"]);
        Assert.Equal(429, many.Status);
        Assert.Equal(HttpStatusCode.TooManyRequests, waiting.StatusCode);
        Assert.Equal(
            "urn:aspirestreaming:problem:too-many-connections-from-address",
            (await waiting.Content.ReadFromJsonAsync<JsonElement>(cancellationToken)).GetProperty("type").GetString());
        Assert.Equal(HttpStatusCode.OK, page.StatusCode);
        Assert.Equal(StatusCode.ResourceExhausted, refused.StatusCode);
        Assert.Equal(StatusCode.ResourceExhausted, read.StatusCode);
        Assert.Equal("5", refused.Trailers.GetValue("retry-after"));
        Assert.Equal("5", read.Trailers.GetValue("retry-after"));

        await second.DisposeAsync();
        await Eventually.TrueAsync(
            async () =>
            {
                await using var again = await host.OpenAsync(Path);
                return again.Status == 200;
            },
            SseClient.Patience,
            "the place is free",
            cancellationToken);
    }

    [Fact]
    public async Task Limit_attempts_of_an_address_are_rate_limited()
    {
        await using var host = await StartAsync(
            "--Admission:AttemptBurst=3", "--Admission:AttemptsPerSecond=0.02", "--Admission:LimitLoopback=true");
        for (var attempt = 0; attempt < 3; attempt++)
        {
            await using var client = await host.OpenAsync(Path);
            Assert.Equal(200, client.Status);
        }

        await using var refused = await host.OpenAsync(Path);
        using var polled = await host.Client.GetAsync($"{Path}?wait=0.01", TestContext.Current.CancellationToken);

        Assert.Equal(429, refused.Status);
        Assert.InRange(int.Parse(refused.Headers["Retry-After"], System.Globalization.CultureInfo.InvariantCulture), 30, 50);
        Assert.Equal(HttpStatusCode.OK, polled.StatusCode);
    }

    [Fact]
    public async Task Limit_loopback_is_exempt_unless_configured()
    {
        await using var host = await StartAsync("--Admission:MaxConnectionsPerAddress=1", "--Admission:AttemptBurst=1", "--Admission:AttemptsPerSecond=0.02");

        await using var first = await host.OpenAsync(Path);
        await using var second = await host.OpenAsync(Path);

        Assert.Equal(200, second.Status);
        Assert.Equal(0, host.Get<AddressLimiter>().Count);
    }

    [Fact]
    public async Task Address_comes_from_the_header_of_a_trusted_proxy()
    {
        await using var host = await StartAsync("--Admission:MaxConnectionsPerAddress=1", "--Admission:TrustedProxies:0=127.0.0.0/8");

        await using var first = await OpenFromAsync(host, "203.0.113.5");
        await using var other = await OpenFromAsync(host, "203.0.113.6");
        await using var again = await OpenFromAsync(host, "203.0.113.5");
        await using var forged = await OpenFromAsync(host, "198.51.100.1, 203.0.113.5");
        await using var chained = await OpenFromAsync(host, "203.0.113.7, 127.0.0.9");
        await using var chainedAgain = await OpenFromAsync(host, "203.0.113.7");

        Assert.Equal([200, 200, 429, 429, 200, 429], new[] { first, other, again, forged, chained, chainedAgain }.Select(client => client.Status));
        var list = await host.Client.GetFromJsonAsync<JsonElement>("/connections?scope=local", TestContext.Current.CancellationToken);
        Assert.Equal(
            ["203.0.113.5", "203.0.113.6", "203.0.113.7"],
            list.GetProperty("connections").EnumerateArray().Select(item => item.GetProperty("remote").GetString()).Order());
    }

    [Theory]
    [InlineData(null)]
    [InlineData("192.0.2.1")]
    public async Task Address_in_a_header_of_anybody_else_is_ignored(string? trusted)
    {
        await using var host = await StartAsync(
            ["--Admission:MaxConnectionsPerAddress=1", "--Admission:LimitLoopback=true", .. trusted is null ? [] : new[] { $"--Admission:TrustedProxies:0={trusted}" }]);

        await using var first = await OpenFromAsync(host, "203.0.113.5");
        await using var second = await OpenFromAsync(host, "203.0.113.6");

        Assert.Equal(200, first.Status);
        Assert.Equal(429, second.Status);
    }

    [Theory]
    [InlineData("--Admission:TrustedProxies:0=proxy.example", "TrustedProxies")]
    [InlineData("--Admission:MemoryLimitBytes=17", "MemoryLimitBytes")]
    [InlineData("--Admission:MaxConnectionsPerAddress=0", "MaxConnectionsPerAddress")]
    public async Task Options_that_make_no_sense_stop_the_start(string setting, string named)
    {
        var failure = await Assert.ThrowsAsync<OptionsValidationException>(() => StartAsync(setting));

        Assert.Contains(named, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Memory_above_the_limit_new_subscriptions_get_503_and_windows_shrink()
    {
        await using var host = await StartAsync();
        await _log.AppendNumbersAsync(_stream, 1, 100);
        await using var client = await host.OpenAsync(Path);
        for (var number = 1; number <= 100; number++)
        {
            Assert.Equal(number, (await client.ReadEventAsync()).Number);
        }

        // The test says how large the heap is.
        var guard = host.Get<MemoryGuard>();
        await guard.StopAsync(TestContext.Current.CancellationToken);
        guard.Check(long.MaxValue);

        await using var refused = await host.OpenAsync(Path);
        Assert.Equal(503, refused.Status);
        Assert.True(refused.Headers.ContainsKey("Retry-After"));
        Assert.Equal(85, host.Get<FeedRegistry>().Find(_stream)!.WindowFirst!.Position.Sequence);
        await _log.AppendNumbersAsync(_stream, 101, 1);
        Assert.Equal(101, (await client.ReadEventAsync()).Number);
        guard.Check(0);
        await using var admitted = await host.OpenAsync(Path);
        Assert.Equal(1, (await admitted.ReadEventAsync()).Number);
    }

    [Fact]
    public async Task Memory_is_short_until_it_is_well_below_the_limit()
    {
        await using var host = await StartAsync();
        const long Limit = 64 << 20;
        var budget = host.Get<WindowBudget>();
        using var guard = new MemoryGuard(
            host.Get<FeedRegistry>(), host.Get<ConnectionRegistry>(), budget, Options.Create(new AdmissionOptions { MemoryLimitBytes = Limit }),
            TimeProvider.System, NullLogger<MemoryGuard>.Instance);

        guard.Check(Limit);
        Assert.False(guard.IsExceeded);
        guard.Check(Limit + 1);
        Assert.True(guard.IsExceeded);
        Assert.True(budget.IsExceeded);
        guard.Check(Limit - 1);
        Assert.True(guard.IsExceeded);
        guard.Check(Limit / 2);
        Assert.False(guard.IsExceeded);
        Assert.False(budget.IsExceeded);
    }

    [Fact]
    public async Task The_heap_is_compacted_once_after_many_have_come()
    {
        await using var host = await StartAsync();
        using var guard = new MemoryGuard(
            host.Get<FeedRegistry>(), host.Get<ConnectionRegistry>(), host.Get<WindowBudget>(), Options.Create(new AdmissionOptions()),
            TimeProvider.System, NullLogger<MemoryGuard>.Instance);

        // A burst: while it lasts, when it is over, and after.
        Assert.Equal([false, false, false, true, false], Ask(0, 4_000, 8_000, 8_050, 8_050));

        // Few more; as many as are worth it, slowly; the same again after most have left.
        Assert.Equal([false, false], Ask(8_900, 8_900));
        Assert.Equal([false, true, false], Ask(10_500, 10_510, 10_510));
        Assert.Equal([false, false, true], Ask(100, 2_000, 2_000));

        bool[] Ask(params int[] counts) => Array.ConvertAll(counts, guard.IsBurstOver);
    }

    private static Task<SseClient> OpenFromAsync(StreamApiHost host, string address) =>
        SseClient.OpenAsync(host.Http, $"/streams/{TestLog.NewStream()}/events", forwardedFor: address);

    private Task<StreamApiHost> StartAsync(params string[] settings) => StreamApiHost.StartAsync(redis.Process.ConnectionString, settings);
}
