using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using AspireStreaming.StreamApi.Connections;
using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;
using AspireStreaming.TestSupport;
using StackExchange.Redis;

namespace AspireStreaming.StreamApi.Tests.Delivery;

/// <summary>What nobody reads costs a replica nothing, however much of it there is or was.</summary>
public sealed class IdleMemoryTests : IAsyncLifetime
{
    private RedisProcess _redis = null!;
    private StreamApiHost _host = null!;
    private TestLog _log = null!;

    public async ValueTask InitializeAsync()
    {
        _redis = await RedisProcess.StartAsync(cancellationToken: TestContext.Current.CancellationToken);
        _log = new TestLog(_redis.ConnectionString);
        _host = await StreamApiHost.StartAsync(
            _redis.ConnectionString,
            "--Delivery:FeedLinger=00:00:00",
            "--Delivery:TailCheckInterval=00:00:00.100",
            "--Delivery:MaxConnections=100000",
            "--Logging:LogLevel:Default=Error");
    }

    public async ValueTask DisposeAsync()
    {
        await _host.DisposeAsync();
        _log.Dispose();
        await _redis.DisposeAsync();
    }

    [Fact]
    public async Task A_hundred_thousand_streams_that_nobody_reads_leave_no_trace()
    {
        const int Streams = 100_000;
        const int Chunk = 5_000;

        // What the append script leaves and tells, for thousands of streams at once.
        const string Publish = """
            for i = 2, #ARGV, 2 do
              local partition, name = ARGV[i], ARGV[i + 1]
              redis.call('XADD', '{' .. partition .. '}:s:' .. name, '1-1', 'e', ARGV[1], 'r', '1')
              redis.call('HSET', '{' .. partition .. '}:m:' .. name, 'e', '1', 's', '1', 'rt', '1')
              redis.call('ZADD', '{' .. partition .. '}:streams', i, name)
              redis.call('PUBLISH', '{' .. partition .. '}:c:' .. name, 'P 1-1 1 - 1\n')
            end
            """;
        RedisValue frame = _log.Event().Frame;
        for (var first = 0; first < Streams; first += Chunk)
        {
            var streams = Enumerable.Range(first, Chunk).SelectMany(number =>
            {
                var name = string.Create(CultureInfo.InvariantCulture, $"idle-{number}");
                return new RedisValue[] { StreamName.PartitionOf(name), name };
            });
            await _log.Database.ScriptEvaluateAsync(Publish, [], [frame, .. streams]);
        }

        var page = await _host.Client.GetFromJsonAsync<JsonElement>("/streams?limit=1000", TestContext.Current.CancellationToken);

        Assert.Equal(1_000, page.GetProperty("streams").GetArrayLength());
        Assert.Equal(JsonValueKind.String, page.GetProperty("next").ValueKind);
        Assert.Equal(0, _host.Get<FeedRegistry>().Count);
        Assert.Equal(0, _host.Get<WindowBudget>().Used);
        Assert.Equal(0, await CountWakeChannelsAsync());
    }

    [Fact]
    public async Task Two_thousand_readers_that_came_and_went_leave_nothing()
    {
        const int Readers = 2_000;
        const int AtOnce = 40;
        const int Streams = 100;
        for (var stream = 0; stream < Streams; stream++)
        {
            await _log.AppendNumbersAsync(NameOf(stream), 1, 2);
        }

        await Task.WhenAll(Enumerable.Range(0, AtOnce).Select(async reader =>
        {
            for (var round = 0; round < Readers / AtOnce; round++)
            {
                await using var client = await _host.OpenAsync($"/streams/{NameOf(((round * AtOnce) + reader) % Streams)}/events");
                Assert.Equal(1, (await client.ReadEventAsync()).Number);
            }
        }));

        var feeds = _host.Get<FeedRegistry>();
        var connections = _host.Get<ConnectionRegistry>();
        await Eventually.TrueAsync(
            async () => feeds.Count == 0 && connections.Count == 0 && await CountWakeChannelsAsync() == 0,
            SseClient.Patience,
            "no feed, no connection and no subscription is left",
            TestContext.Current.CancellationToken);
        Assert.Empty(connections.All);
        Assert.Equal(0, _host.Get<WindowBudget>().Used);
    }

    private static string NameOf(int stream) => string.Create(CultureInfo.InvariantCulture, $"visited-{stream}");

    private async Task<int> CountWakeChannelsAsync()
    {
        // Every wake channel of every partition has this in its name, and no other channel.
        Assert.Contains("}:c:", StreamKeys.WakeChannel("s"), StringComparison.Ordinal);
        return ((RedisResult[])(await _log.Database.ExecuteAsync("PUBSUB", "CHANNELS", "*}:c:*"))!).Length;
    }
}
