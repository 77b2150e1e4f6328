using System.Net;
using AspireStreaming.TestSupport;

namespace AspireStreaming.PublisherApi.Tests.Appending;

public sealed class ResilienceTests(Servers servers)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private static readonly string[] Impatient =
    [
        "--HotLog:CommandTimeout=00:00:00.250", "--Publisher:Redis:RetryDelay=00:00:00.020", "--Publisher:Redis:BreakDuration=00:00:01",
    ];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Circuit_opens_half_opens_and_closes()
    {
        await using var redis = await RedisProcess.StartAsync(cancellationToken: Cancel);
        await using var publisher = await PublisherHost.StartAsync(redis.ConnectionString, servers.Archive, Impatient);
        var stream = PublisherHost.NewStream("circuit");
        (await publisher.PostAsync(stream, """{"type":"T"}""")).ShouldBeOk(1);

        redis.Kill();
        var first = (await publisher.PostAsync(stream, """[{"type":"T","id":"own"},{"type":"ERROR_OCCURRED"}]""")).ShouldBe(
            HttpStatusCode.ServiceUnavailable, "redis-unavailable");
        Assert.NotNull(first.RetryAfter);
        var ids = first.Json.GetProperty("ids").EnumerateArray().Select(id => id.GetString()!).ToArray();
        Assert.Equal(("own", 2), (ids[0], ids.Length));
        Assert.EndsWith(".1", ids[1], StringComparison.Ordinal);
        Assert.Contains("CriticalEventDropped", publisher.LoggedEvents);

        // Three tries failed; two more open it, in the middle of the second request.
        var second = (await publisher.PostAsync(stream, """{"type":"T"}""")).ShouldBe(HttpStatusCode.ServiceUnavailable, "circuit-open");
        Assert.Equal(TimeSpan.FromSeconds(1), second.RetryAfter);
        Assert.Equal(1, second.Json.GetProperty("ids").GetArrayLength());
        Assert.Contains("RedisCircuitOpened", publisher.LoggedEvents);
        Assert.Equal("degraded", await CircuitStatusAsync(publisher));

        // A failed trial opens it again.
        await Eventually.TrueAsync(
            async () => (await publisher.PostAsync(stream, """{"type":"T"}""")).Problem.EndsWith("redis-unavailable", StringComparison.Ordinal) || await ReopenedAsync(publisher),
            Patience,
            "a trial fails",
            Cancel);
        (await publisher.PostAsync(stream, """{"type":"T"}""")).ShouldBe(HttpStatusCode.ServiceUnavailable, "circuit-open");

        await redis.StartAsync(Cancel);
        await Eventually.TrueAsync(
            async () => (await publisher.PostAsync(stream, """{"type":"T"}""")).Status == HttpStatusCode.OK, Patience, "publishes are accepted again", Cancel);
        await Eventually.TrueAsync(
            async () => await CircuitStatusAsync(publisher) == "healthy", Patience, "the circuit is healthy", Cancel);
    }

    [Theory]
    [InlineData("""{"type":"T"}""")]
    [InlineData("""{"type":"T","id":"own"}""")]
    [InlineData("""[{"type":"T"},{"type":"T","id":"own"},{"type":"T"}]""")]
    public async Task Retry_of_a_try_without_answer_does_not_duplicate(string body)
    {
        await using var redis = await RedisProcess.StartAsync(cancellationToken: Cancel);
        await using var publisher = await PublisherHost.StartAsync(redis.ConnectionString, servers.Archive, Impatient);
        var stream = PublisherHost.NewStream("retry");
        (await publisher.PostAsync(stream, """{"type":"T"}""")).ShouldBeOk(1);

        redis.Suspend();
        var post = publisher.PostAsync(stream, body);
        await Eventually.TrueAsync(
            async () => post.IsCompleted || await MetricAsync(publisher, "publisher_redis_retries") >= 1, Patience, "the append is tried again", Cancel);
        Assert.False(post.IsCompleted, "It was answered while Redis was silent: " + (post.IsCompleted ? (await post).ToString() : ""));
        redis.Resume();

        var count = body[0] == '[' ? 3 : 1;
        var answer = (await post).ShouldBeOk(count);
        Assert.Equal((2, 1 + count), (answer.First.Sequence, answer.Last.Sequence));
        await Settled(publisher, stream, 1 + count);
    }

    [Theory]
    [InlineData("""[{"type":"T"},{"type":"T"}]""")]
    [InlineData("""[{"type":"T","id":"a"},{"type":"T"}]""")]
    public async Task Repeating_a_503_with_its_ids_does_not_duplicate(string body)
    {
        await using var redis = await RedisProcess.StartAsync(cancellationToken: Cancel);
        await using var publisher = await PublisherHost.StartAsync(redis.ConnectionString, servers.Archive, Impatient);
        var stream = PublisherHost.NewStream("repeat");
        (await publisher.PostAsync(stream, """{"type":"T"}""")).ShouldBeOk(1);

        redis.Suspend();
        var refused = (await publisher.PostAsync(stream, body)).ShouldBe(HttpStatusCode.ServiceUnavailable);
        redis.Resume();
        var repeat = "[" + string.Join(
            ',', refused.Json.GetProperty("ids").EnumerateArray().Select(id => $$"""{"type":"T","id":"{{id.GetString()}}"}""")) + "]";
        Answer? answer = null;
        await Eventually.TrueAsync(
            async () => (answer = await publisher.PostAsync(stream, repeat)).Status == HttpStatusCode.OK, Patience, "the repeat is accepted", Cancel);

        Assert.Equal(2, answer!.Accepted + answer.Duplicates);
        await Settled(publisher, stream, 3);
    }

    [Fact]
    public async Task Repeating_after_a_restart_from_disk_does_not_duplicate()
    {
        var folder = Directory.CreateTempSubdirectory("publisher-test-").FullName;
        try
        {
            await using var redis = await RedisProcess.StartAsync(dataFolder: folder, cancellationToken: Cancel);
            await using var publisher = await PublisherHost.StartAsync(redis.ConnectionString, servers.Archive, Impatient);
            var stream = PublisherHost.NewStream("restart");
            const string Body = """[{"type":"T","id":"1"},{"type":"T","id":"2"}]""";
            var before = (await publisher.PostAsync(stream, Body)).ShouldBeOk(2);

            await redis.RestartAsync(cancellationToken: Cancel);
            Answer? answer = null;
            await Eventually.TrueAsync(
                async () => (answer = await publisher.PostAsync(stream, Body)).Status == HttpStatusCode.OK, Patience, "publishes go on", Cancel);

            answer!.ShouldBeOk(0, 2);
            Assert.Equal((before.First, before.Last), (answer.First, answer.Last));

            // The epoch is a new one, the sequence goes on.
            var next = (await publisher.PostAsync(stream, """{"type":"T"}""", query: $"?expected={before.Last}")).ShouldBeOk(1);
            Assert.True(next.First.Epoch > before.Last.Epoch);
            Assert.Equal(3, next.First.Sequence);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task Full_redis_is_503_and_leaves_the_circuit_closed()
    {
        await using var redis = await RedisProcess.StartAsync(
            arguments: ["--maxmemory", "6mb", "--maxmemory-policy", "noeviction"], cancellationToken: Cancel);
        await using var publisher = await PublisherHost.StartAsync(redis.ConnectionString, servers.Archive);
        var stream = PublisherHost.NewStream("full");
        var body = $$"""{"type":"T","data":"{{new string('x', 500_000)}}"}""";

        Answer? refused = null;
        await Eventually.TrueAsync(
            async () => (refused = await publisher.PostAsync(stream, body)).Status != HttpStatusCode.OK, Patience, "Redis is full", Cancel);

        refused!.ShouldBe(HttpStatusCode.ServiceUnavailable, "redis-full");
        Assert.Equal(TimeSpan.FromSeconds(5), refused.RetryAfter);
        Assert.Equal(1, refused.Json.GetProperty("ids").GetArrayLength());

        // Redis gives back what the refused command had taken in its connection's buffer; that must not make room for another.
        await redis.SendAsync("CONFIG SET maxmemory 1mb", Cancel);
        for (var repeat = 0; repeat < 6; repeat++)
        {
            (await publisher.PostAsync(stream, body)).ShouldBe(HttpStatusCode.ServiceUnavailable, "redis-full");
        }

        Assert.Equal("healthy", await CircuitStatusAsync(publisher));
    }

    [Fact]
    public async Task Archive_backlog_above_its_cap_is_503()
    {
        await using var redis = await RedisProcess.StartAsync(cancellationToken: Cancel);
        await using var publisher = await PublisherHost.StartAsync(
            redis.ConnectionString, servers.Archive, "--HotLog:MaxArchiveBacklogBytes=1000");
        var stream = PublisherHost.NewStream("backlog");
        (await publisher.PostAsync(stream, $$"""{"type":"T","id":"1","data":"{{new string('x', 2000)}}"}""")).ShouldBeOk(1);

        var refused = (await publisher.PostAsync(stream, """{"type":"WORKFLOW_FAILED"}""")).ShouldBe(
            HttpStatusCode.ServiceUnavailable, "archive-backlog-full");

        Assert.Equal(TimeSpan.FromSeconds(5), refused.RetryAfter);
        Assert.Equal(1, refused.Json.GetProperty("ids").GetArrayLength());
        Assert.Contains("CriticalEventDropped", publisher.LoggedEvents);
        (await publisher.PostAsync(stream, """{"type":"T","id":"1"}""")).ShouldBeOk(0, 1);
        Assert.True(await MetricAsync(publisher, "publisher_archive_backlog") > 2000);
    }

    [Fact]
    public async Task Too_many_bytes_at_a_time_are_429()
    {
        await using var publisher = await PublisherHost.StartAsync(servers.Redis, servers.Archive, "--Publisher:MaxInFlightBytes=8388608");
        var go = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var stream = PublisherHost.NewStream("flight");

        // A body of unknown length reserves the most that it can have.
        var slow = Enumerable.Range(0, 2).Select(index => publisher.PostAsync(stream, new Http.GeneratedContent(
            async body =>
            {
                await body.WriteAsync("{"u8.ToArray());
                await body.FlushAsync();
                await go.Task;
                await body.WriteAsync("\"type\":\"T\"}"u8.ToArray());
            },
            "application/json"))).ToArray();
        await Eventually.TrueAsync(
            async () => await MetricAsync(publisher, "publisher_requests_bytes") >= 8 << 20, Patience, "both bodies are being read", Cancel);

        var refused = (await publisher.PostAsync(stream, """{"type":"T"}""")).ShouldBe(HttpStatusCode.TooManyRequests, "too-many-requests");
        Assert.Equal(TimeSpan.FromSeconds(1), refused.RetryAfter);
        go.SetResult();
        foreach (var post in slow)
        {
            (await post).ShouldBeOk(1);
        }

        (await publisher.PostAsync(stream, """{"type":"T"}""")).ShouldBeOk(1);
    }

    [Fact]
    public async Task Start_without_redis_is_503_until_it_comes()
    {
        await using var redis = await RedisProcess.StartAsync(cancellationToken: Cancel);
        await redis.StopAsync(Cancel);
        await using var publisher = await PublisherHost.StartAsync(redis.ConnectionString, servers.Archive, [.. Impatient, "--Aspire:StackExchange:Redis:ConfigurationOptions:ConnectTimeout=500"]);

        (await publisher.PostAsync("early", """{"type":"T"}""")).ShouldBe(HttpStatusCode.ServiceUnavailable);
        Assert.Equal("degraded", (await publisher.GetJsonAsync("/health")).GetProperty("status").GetString());

        await redis.StartAsync(Cancel);
        await Eventually.TrueAsync(
            async () => (await publisher.PostAsync("early", """{"type":"T"}""")).Status == HttpStatusCode.OK, Patience, "publishes are accepted", Cancel);
    }

    private static async Task<string> CircuitStatusAsync(PublisherHost publisher) =>
        (await publisher.GetJsonAsync("/health")).GetProperty("dependencies").GetProperty("redis-circuit").GetProperty("status").GetString()!;

    private static async Task<bool> ReopenedAsync(PublisherHost publisher)
    {
        await Task.Yield();
        return publisher.LoggedEvents.Count(name => name == "RedisCircuitOpened") > 1;
    }

    /// <summary>The stream has exactly this many events, also after whatever was on its way has arrived.</summary>
    private static async Task Settled(PublisherHost publisher, string stream, int count)
    {
        (await publisher.PostAsync(stream, """{"type":"LAST","id":"last"}""")).ShouldBe(HttpStatusCode.OK);
        Assert.Equal(count + 1, (await publisher.ReadAsync(stream)).Length);
    }

    private static async Task<double> MetricAsync(PublisherHost publisher, string name)
    {
        var page = await publisher.Http.GetStringAsync(new Uri("/metrics", UriKind.Relative), Cancel);
        return page.Split('\n')
            .Where(line => line.StartsWith(name, StringComparison.Ordinal) && !line.StartsWith(name + "_limit", StringComparison.Ordinal))
            .Sum(line => double.Parse(line[(line.LastIndexOf(' ') + 1)..], System.Globalization.CultureInfo.InvariantCulture));
    }
}
