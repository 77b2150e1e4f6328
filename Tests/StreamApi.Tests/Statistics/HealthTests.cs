using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.TestSupport;

namespace AspireStreaming.StreamApi.Tests.Statistics;

public sealed class HealthTests
{
    [Fact]
    public async Task Health_counts_connections_streams_subscribers_messages_and_runs()
    {
        await using var redis = await RedisProcess.StartAsync(cancellationToken: TestContext.Current.CancellationToken);
        await using var host = await StreamApiHost.StartAsync(redis.ConnectionString, "--Delivery:MaxConnections=77");
        using var log = new TestLog(redis.ConnectionString);
        string[] streams = [.. Enumerable.Range(0, 4).Select(_ => TestLog.NewStream())];
        var clients = new List<SseClient>();
        foreach (var stream in streams)
        {
            await log.AppendNumbersAsync(stream, 1, 1);
            var client = await host.OpenAsync($"/streams/{stream}/events");
            await client.ReadEventAsync();
            await client.ReadControlAsync("stream.caught-up");
            clients.Add(client);
        }

        await log.AppendAsync(streams[0], log.Event("WORKFLOW_COMPLETED"));
        await log.AppendAsync(streams[1], log.Event("WORKFLOW_FAILED"));
        await log.AppendAsync(streams[2], log.Event("STREAM_END"));
        foreach (var client in clients[..3])
        {
            await client.ReadEventAsync();
            await client.ReadControlAsync("stream.end");
        }

        JsonElement health = default;
        await Eventually.TrueAsync(
            async () =>
            {
                health = await host.Client.GetFromJsonAsync<JsonElement>("/health", TestContext.Current.CancellationToken);
                return health.GetProperty("stream").GetProperty("activeConnections").GetInt64() == 1;
            },
            SseClient.Patience,
            "those whose stream ended are gone",
            TestContext.Current.CancellationToken);

        Assert.Equal("healthy", health.GetProperty("status").GetString());
        Assert.True(health.GetProperty("timestamp").TryGetDateTimeOffset(out _));
        Assert.Equal(
            """{"activeConnections":1,"totalMessages":7,"maxConnections":77,"totalStreams":4,"healthyStreams":4,"subscribers":1}""",
            health.GetProperty("stream").GetRawText());
        Assert.Equal("""{"total":4,"running":1,"completed":1,"failed":1,"cancelled":0}""", health.GetProperty("workflows").GetRawText());
        Assert.Equal("healthy", health.GetProperty("dependencies").GetProperty("StackExchange.Redis").GetProperty("status").GetString());
        Assert.Equal("healthy", health.GetProperty("dependencies").GetProperty("redis-maxmemory-policy").GetProperty("status").GetString());
        foreach (var client in clients)
        {
            await client.DisposeAsync();
        }
    }

    [Fact]
    public async Task Health_of_a_redis_that_may_evict_is_degraded_and_says_why()
    {
        await using var redis = await RedisProcess.StartAsync(
            arguments: ["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"], cancellationToken: TestContext.Current.CancellationToken);
        await using var host = await StreamApiHost.StartAsync(redis.ConnectionString, "--Logging:LogLevel:Default=Error");

        using var response = await host.Client.GetAsync("/health", TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        var health = await response.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken);
        Assert.Equal("degraded", health.GetProperty("status").GetString());
        var check = health.GetProperty("dependencies").GetProperty("redis-maxmemory-policy");
        Assert.Equal("degraded", check.GetProperty("status").GetString());
        Assert.Contains("allkeys-lru", check.GetProperty("description").GetString(), StringComparison.Ordinal);
    }
}
