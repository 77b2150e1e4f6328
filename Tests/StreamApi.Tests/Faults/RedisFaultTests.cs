using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;
using AspireStreaming.TestSupport;
using StackExchange.Redis;

namespace AspireStreaming.StreamApi.Tests.Faults;

public sealed class RedisFaultTests : IAsyncLifetime
{
    private readonly string _stream = TestLog.NewStream();
    private readonly string _folder = Directory.CreateTempSubdirectory("streamapi-faults-").FullName;
    private RedisProcess _redis = null!;
    private StreamApiHost _host = null!;
    private TestLog _log = null!;

    public async ValueTask InitializeAsync()
    {
        _redis = await RedisProcess.StartAsync(dataFolder: _folder, cancellationToken: TestContext.Current.CancellationToken);
        _log = new TestLog(_redis.ConnectionString);
        _host = await StreamApiHost.StartAsync(
            _redis.ConnectionString, "--Delivery:TailCheckInterval=00:00:00.500", "--Delivery:Heartbeat=00:00:00.300");
    }

    public async ValueTask DisposeAsync()
    {
        await _host.DisposeAsync();
        _log.Dispose();
        await _redis.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Restart_readers_stay_and_get_what_comes_after()
    {
        await using var client = await OpenAsync();
        await _redis.RestartAsync(cancellationToken: TestContext.Current.CancellationToken);

        var last = await AppendWhenPossibleAsync(4);

        var border = await client.ReadControlAsync("stream.epoch");
        Assert.Equal(0, border.Json.GetProperty("missed").GetInt32());
        var frame = await client.ReadAsync();
        Assert.Equal(4, frame!.Number);
        Assert.Equal(last.ToString(), frame.Id);
    }

    [Fact]
    public async Task Kill_with_everything_lost_readers_are_told_and_go_on()
    {
        await using var client = await OpenAsync();
        _redis.Kill();
        await _redis.RestartAsync(wipe: true, TestContext.Current.CancellationToken);

        await AppendWhenPossibleAsync(4);

        var border = await client.ReadControlAsync("stream.epoch");
        Assert.Equal(System.Text.Json.JsonValueKind.Null, border.Json.GetProperty("missed").ValueKind);
        Assert.Equal(4, (await client.ReadEventAsync()).Number);
    }

    [Fact]
    public async Task Freeze_heartbeats_go_on_and_delivery_resumes()
    {
        await using var client = await OpenAsync();
        _redis.Suspend();
        for (var beat = 0; beat < 3; beat++)
        {
            Assert.True((await client.ReadAnyAsync())!.IsComment);
        }

        await using var late = await _host.OpenAsync($"/streams/{_stream}/events");
        Assert.Equal(200, late.Status);
        _redis.Resume();
        await AppendWhenPossibleAsync(4);

        Assert.Equal(4, (await client.ReadEventAsync()).Number);
        for (var number = 1; number <= 4; number++)
        {
            Assert.Equal(number, (await late.ReadEventAsync()).Number);
        }
    }

    [Fact]
    public async Task Page_without_redis_is_503_with_retry_after()
    {
        await _redis.StopAsync(TestContext.Current.CancellationToken);

        using var page = await _host.Client.GetAsync($"/streams/{_stream}/events", TestContext.Current.CancellationToken);
        using var list = await _host.Client.GetAsync("/streams", TestContext.Current.CancellationToken);
        using var health = await _host.Client.GetAsync("/health", TestContext.Current.CancellationToken);

        Assert.Equal(503, (int)page.StatusCode);
        Assert.NotNull(page.Headers.RetryAfter);
        Assert.Equal(503, (int)list.StatusCode);
        Assert.Equal(200, (int)health.StatusCode);
    }

    [Fact]
    public async Task Open_before_redis_is_there_the_reader_waits()
    {
        await _redis.StopAsync(TestContext.Current.CancellationToken);
        await using var start = await _host.OpenAsync($"/streams/{_stream}/events");
        await using var now = await _host.OpenAsync($"/streams/{_stream}/events?from=now");
        Assert.Equal(200, start.Status);
        Assert.Equal(200, now.Status);

        await _redis.StartAsync(TestContext.Current.CancellationToken);
        await now.ReadControlAsync("stream.caught-up");
        await AppendWhenPossibleAsync(1);

        Assert.Equal(1, (await start.ReadEventAsync()).Number);
        Assert.Equal(1, (await now.ReadEventAsync()).Number);
    }

    [Fact]
    public async Task Subscription_killed_what_was_published_meanwhile_arrives()
    {
        await using var client = await OpenAsync();
        for (var number = 4; number < 24; number += 2)
        {
            await _redis.SendAsync("CLIENT KILL TYPE pubsub", TestContext.Current.CancellationToken);
            await _log.AppendNumbersAsync(_stream, number, 1);
            await _log.AppendNumbersAsync(_stream, number + 1, 1);
        }

        for (var number = 4; number < 24; number++)
        {
            Assert.Equal(number, (await client.ReadEventAsync()).Number);
        }
    }

    [Fact]
    public async Task Wake_lost_the_tail_check_finds_the_event()
    {
        await using var client = await OpenAsync();
        var meta = await _log.Reader.ReadMetaAsync(_stream, TestContext.Current.CancellationToken);
        var position = meta!.Last.Next;
        var item = _log.Event(data: "4");

        // What the append script does, without its PUBLISH.
        await _log.Database.ExecuteAsync("XADD", StreamKeys.Stream(_stream), position.ToString(), "e", item.Frame, "r", meta.RecordedAt);
        await _log.Database.HashSetAsync(StreamKeys.Meta(_stream), "s", position.Sequence);
        await _log.Database.ExecuteAsync(
            "XADD", StreamKeys.Archive(StreamName.PartitionOf(_stream)), "*", "h", $"a {_stream} {position} {meta.RecordedAt} - 1", "d", item.Frame);

        Assert.Equal(4, (await client.ReadEventAsync()).Number);
    }

    private async Task<SseClient> OpenAsync()
    {
        await _log.AppendNumbersAsync(_stream, 1, 3);
        var client = await _host.OpenAsync($"/streams/{_stream}/events");
        for (var number = 1; number <= 3; number++)
        {
            Assert.Equal(number, (await client.ReadEventAsync()).Number);
        }

        await client.ReadControlAsync("stream.caught-up");
        return client;
    }

    private async Task<StreamPosition> AppendWhenPossibleAsync(int number)
    {
        // One request, so that a try that ran without an answer is not a second event.
        var request = new AppendRequest
        {
            Stream = _stream,
            Events = [_log.Event(data: number.ToString(System.Globalization.CultureInfo.InvariantCulture))],
        };
        AppendResult? result = null;
        await Eventually.TrueAsync(
            async () =>
            {
                try
                {
                    result = await _log.Log.AppendAsync(request, TestContext.Current.CancellationToken);
                    return result.Status == AppendStatus.Appended;
                }
                catch (Exception exception) when (exception is RedisException or TimeoutException or FenceException)
                {
                    return false;
                }
            },
            TimeSpan.FromSeconds(30),
            "Redis takes the event",
            TestContext.Current.CancellationToken);
        return result!.Last;
    }
}
