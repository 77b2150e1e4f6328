using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using AspireStreaming.StreamApi.Connections;
using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.TestSupport;

namespace AspireStreaming.StreamApi.Tests.Sse;

public sealed class SseLifecycleTests(RedisFixture redis, SharedHost shared) : IDisposable
{
    private readonly TestLog _log = new(redis.Process.ConnectionString);
    private readonly string _stream = TestLog.NewStream();

    public void Dispose() => _log.Dispose();

    [Fact]
    public async Task Heartbeat_silence_is_broken_by_comments()
    {
        await using var host = await StreamApiHost.StartAsync(redis.Process.ConnectionString, "--Delivery:Heartbeat=00:00:00.200");
        await using var client = await host.OpenAsync($"/streams/{_stream}/events");
        await client.ReadControlAsync("stream.caught-up");

        var watch = Stopwatch.StartNew();
        for (var beat = 0; beat < 3; beat++)
        {
            Assert.Equal(": heartbeat", (await client.ReadAnyAsync())!.Raw);
        }

        Assert.InRange(watch.ElapsedMilliseconds, 350, 5_000);
    }

    [Fact]
    public async Task Heartbeat_a_position_moved_by_filtered_events_is_told()
    {
        await using var host = await StreamApiHost.StartAsync(redis.Process.ConnectionString, "--Delivery:PositionInterval=00:00:00.100");
        await using var client = await host.OpenAsync($"/streams/{_stream}/events?types=X");
        await client.ReadControlAsync("stream.caught-up");

        var last = (await _log.AppendNumbersAsync(_stream, 1, 3)).Last;

        Assert.Equal($"id: {last}", (await client.ReadAsync())!.Raw);
    }

    [Fact]
    public async Task Limit_one_connection_too_many_gets_503_and_a_place_is_given_back()
    {
        await using var host = await StreamApiHost.StartAsync(redis.Process.ConnectionString, "--Delivery:MaxConnections=2");
        await using var first = await host.OpenAsync($"/streams/{_stream}/events");
        await using (await host.OpenAsync($"/streams/{_stream}/events"))
        {
            await using var third = await host.OpenAsync($"/streams/{_stream}/events");
            Assert.Equal(503, third.Status);
            Assert.True(third.Headers.ContainsKey("Retry-After"));
        }

        var registry = host.Get<ConnectionRegistry>();
        await Eventually.TrueAsync(() => registry.Count == 1, SseClient.Patience, "a place is free", TestContext.Current.CancellationToken);
        await using var later = await host.OpenAsync($"/streams/{_stream}/events");
        Assert.Equal(200, later.Status);
    }

    [Fact]
    public async Task Feed_is_freed_after_its_last_reader_left()
    {
        await using var host = await StreamApiHost.StartAsync(
            redis.Process.ConnectionString, "--Delivery:FeedLinger=00:00:00", "--Delivery:TailCheckInterval=00:00:00.050");
        var feeds = host.Get<FeedRegistry>();
        await using (var client = await host.OpenAsync($"/streams/{_stream}/events"))
        {
            await client.ReadControlAsync("stream.caught-up");
            Assert.Equal(1, feeds.Count);
        }

        await Eventually.TrueAsync(() => feeds.Count == 0, SseClient.Patience, "the feed is gone", TestContext.Current.CancellationToken);
        Assert.Equal(0, host.Get<WindowBudget>().Used);
    }

    [Fact]
    public async Task Drain_everybody_is_told_and_the_service_stops_in_time()
    {
        const int Clients = 300;
        var host = await StreamApiHost.StartAsync(redis.Process.ConnectionString);
        await using var owner = host;
        await _log.AppendNumbersAsync(_stream, 1, 5);
        var clients = await Task.WhenAll(Enumerable.Range(0, Clients).Select(_ => host.OpenAsync($"/streams/{_stream}/events")));
        foreach (var client in clients)
        {
            for (var number = 1; number <= 5; number++)
            {
                Assert.Equal(number, (await client.ReadEventAsync()).Number);
            }
        }

        var watch = Stopwatch.StartNew();
        var stopping = host.StopAsync();
        var retries = new HashSet<int>();
        foreach (var client in clients)
        {
            var frames = await client.ReadToEndAsync();
            var drain = frames[^1];
            Assert.Equal("stream.drain", drain.Event);
            Assert.Equal("shutdown", drain.Json.GetProperty("reason").GetString());
            retries.Add(drain.Json.GetProperty("retryMs").GetInt32());
            await client.DisposeAsync();
        }

        await stopping;
        Assert.InRange(watch.ElapsedMilliseconds, 0, 5_000);
        Assert.True(retries.Count > Clients / 4, "The clients come back at moments of their own.");
    }

    [Fact]
    public async Task Connections_are_listed_and_one_can_be_closed()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        var last = (await shared.Log.AppendNumbersAsync(_stream, 1, 2)).Last;
        await using var client = await shared.Host.OpenAsync($"/streams/{_stream}/events");
        await client.ReadEventAsync();
        await client.ReadEventAsync();
        await client.ReadControlAsync("stream.caught-up");

        var list = await shared.Host.Client.GetFromJsonAsync<JsonElement>("/connections?scope=local&limit=1000", cancellationToken);
        var mine = list.GetProperty("connections").EnumerateArray().Single(item => item.GetProperty("stream").GetString() == _stream);
        Assert.Equal("sse", mine.GetProperty("transport").GetString());
        Assert.Equal(last.ToString(), mine.GetProperty("position").GetString());
        Assert.Equal("live", mine.GetProperty("mode").GetString());
        Assert.Equal(0, mine.GetProperty("lag").GetInt64());

        using var closed = await shared.Host.Client.DeleteAsync($"/connections/{mine.GetProperty("id").GetString()}", cancellationToken);
        using var unknown = await shared.Host.Client.DeleteAsync("/connections/nobody", cancellationToken);

        Assert.Equal(HttpStatusCode.NoContent, closed.StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);
        Assert.Equal("closed", (await client.ReadControlAsync("stream.drain")).Json.GetProperty("reason").GetString());
        Assert.Null(await client.ReadAsync());
    }

    [Fact]
    public async Task Slow_reader_that_takes_nothing_is_cut_and_holds_nobody_up()
    {
        await using var host = await StreamApiHost.StartAsync(redis.Process.ConnectionString, "--Delivery:WriteTimeout=00:00:01");
        var registry = host.Get<ConnectionRegistry>();
        await using var stuck = await SseClient.OpenAsync(host.Http, $"/streams/{_stream}/events", receiveBuffer: 4096);
        await using var quick = await host.OpenAsync($"/streams/{_stream}/events");
        await quick.ReadControlAsync("stream.caught-up");
        var text = $"\"{new string('x', 50_000)}\"";

        for (var number = 0; number < 400; number++)
        {
            await _log.AppendAsync(_stream, _log.Event(data: text));
            await quick.ReadEventAsync();
        }

        await Eventually.TrueAsync(() => registry.Count == 1, SseClient.Patience, "the stuck reader is cut", TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Fan_out_a_thousand_subscribers_get_every_event_in_order()
    {
        const int Subscribers = 1_000;
        const int Events = 100;
        await using var host = await StreamApiHost.StartAsync(redis.Process.ConnectionString);
        var clients = await Task.WhenAll(Enumerable.Range(0, Subscribers).Select(_ => host.OpenAsync($"/streams/{_stream}/events?named=false")));
        var reading = Task.WhenAll(clients.Select(async client =>
        {
            for (var number = 1; number <= Events; number++)
            {
                Assert.Equal(number, (await client.ReadEventAsync()).Number);
            }
        }));

        for (var number = 1; number <= Events; number += 5)
        {
            await _log.AppendNumbersAsync(_stream, number, 5);
        }

        await reading;
        var feed = host.Get<FeedRegistry>().Find(_stream)!;
        Assert.Equal(Subscribers, feed.Readers);
        foreach (var client in clients)
        {
            await client.DisposeAsync();
        }

        await Eventually.TrueAsync(() => feed.Readers == 0, SseClient.Patience, "all have left", TestContext.Current.CancellationToken);
    }
}
