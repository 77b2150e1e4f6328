using System.Text.Json;
using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.V1;
using Grpc.Core;
using Grpc.Net.Client;

namespace AspireStreaming.StreamApi.Tests.Sessions;

public sealed class SessionStatisticsTests(RedisFixture redis) : IAsyncLifetime
{
    private readonly string _stream = TestLog.NewStream();
    private StreamApiHost _host = null!;
    private TestLog _log = null!;

    public static TheoryData<string> Transports => ["ws", "grpc"];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _host = await StreamApiHost.StartAsync(redis.Process.ConnectionString);
        _log = new TestLog(redis.Process.ConnectionString);
    }

    public async ValueTask DisposeAsync()
    {
        await _host.DisposeAsync();
        _log.Dispose();
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task Stats_tell_of_each_session_and_subscription(string transport)
    {
        await _log.AppendNumbersAsync(_stream, 1, 100);
        await using var client = await SessionClient.OpenAsync(transport, _host);
        await client.SubscribeAsync("mine", _stream, "start", window: 20);
        await client.ReadAsync("subscribed");
        var events = await client.ReadEventsAsync(20);
        await client.AckAsync("mine", events[4].Position);
        var last = (await client.ReadEventsAsync(5))[^1];
        await client.ReadUntilPongAsync();

        using var channel = GrpcChannel.ForAddress(_host.Grpc);
        var answer = await new Streams.StreamsClient(channel).StatsAsync(new StatsRequest { Scope = "local" }, cancellationToken: Cancel);
        var document = JsonDocument.Parse(await _host.Client.GetStringAsync(new Uri("/stats?scope=local", UriKind.Relative), Cancel)).RootElement;

        var session = Assert.Single(answer.Sessions);
        var subscription = Assert.Single(session.Subscriptions);
        Assert.Equal((transport, 1, true), (session.Transport, session.SubscriptionCount, session.Healthy));
        Assert.Equal((20L, 75L), (session.InFlight, session.Buffered));
        Assert.Equal(("mine", _stream, 20, 20, 75L), (subscription.Sub, subscription.Stream, subscription.Window, subscription.InFlight, subscription.Buffered));
        Assert.Equal((events[4].Position, last.Position), (subscription.Acknowledged, subscription.Position));
        Assert.True(subscription.Healthy);
        Assert.InRange(subscription.IdleSeconds, 0, subscription.UptimeSeconds);
        Assert.Equal(1, answer.Subscribers);
        var stream = Assert.Single(answer.Streams);
        Assert.Equal((_stream, 1, true), (stream.Stream, stream.Subscribers, stream.Healthy));
        var listed = document.GetProperty("sessions")[0];
        Assert.Equal(session.Id, listed.GetProperty("id").GetString());
        Assert.Equal(20, listed.GetProperty("subscriptions")[0].GetProperty("inFlight").GetInt32());
    }

    [Fact]
    public async Task Stats_of_an_unknown_scope_are_refused()
    {
        using var channel = GrpcChannel.ForAddress(_host.Grpc);

        var fault = await Assert.ThrowsAsync<RpcException>(async () =>
            await new Streams.StreamsClient(channel).StatsAsync(new StatsRequest { Scope = "galaxy" }, cancellationToken: Cancel));

        Assert.Equal(StatusCode.InvalidArgument, fault.StatusCode);
    }
}
