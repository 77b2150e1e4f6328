using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using AspireStreaming.StreamApi.Fleet;
using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.TestSupport;
using StackExchange.Redis;

namespace AspireStreaming.StreamApi.Tests.Fleet;

/// <summary>Three replicas on one Redis, each asked about all of them.</summary>
public sealed class FleetTests : IAsyncLifetime
{
    private readonly string _stream = TestLog.NewStream();
    private readonly List<StreamApiHost> _hosts = [];
    private readonly List<SseClient> _clients = [];
    private RedisProcess _redis = null!;
    private TestLog _log = null!;

    public async ValueTask InitializeAsync()
    {
        _redis = await RedisProcess.StartAsync(cancellationToken: TestContext.Current.CancellationToken);
        _log = new TestLog(_redis.ConnectionString);
        foreach (var name in new[] { "one", "two", "three" })
        {
            _hosts.Add(await StartAsync(name));
        }

        await KnownAsync(_hosts.Count);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var client in _clients)
        {
            await client.DisposeAsync();
        }

        foreach (var host in _hosts)
        {
            await host.DisposeAsync();
        }

        _log.Dispose();
        await _redis.DisposeAsync();
    }

    [Fact]
    public async Task Connections_of_all_replicas_are_listed_and_each_can_be_closed_anywhere()
    {
        var clients = await SubscribeAsync(1, 2, 1);

        var list = await GetAsync(0, "/connections");

        Assert.Equal(["one", "three", "two", "two"], Rows(list).Select(row => row.GetProperty("replica").GetString()!).Order());
        Assert.Equal(4, list.GetProperty("total").GetInt32());
        Assert.False(list.GetProperty("truncated").GetBoolean());
        AssertComplete(list);
        var own = await GetAsync(0, "/connections?scope=local");
        Assert.Equal("one", Assert.Single(Rows(own)).GetProperty("replica").GetString());

        var others = Rows(list).Single(row => row.GetProperty("replica").GetString() == "three").GetProperty("id").GetString();
        using var elsewhere = await DeleteAsync(0, $"/connections/{others}?scope=local");
        using var closed = await DeleteAsync(0, $"/connections/{others}");
        using var unknown = await DeleteAsync(0, "/connections/0123456789abcdef");

        Assert.Equal(HttpStatusCode.NotFound, elsewhere.StatusCode);
        Assert.Equal(HttpStatusCode.NoContent, closed.StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);
        await clients[3].ReadControlAsync("stream.caught-up");
        Assert.Equal("closed", (await clients[3].ReadControlAsync("stream.drain")).Json.GetProperty("reason").GetString());
    }

    [Fact]
    public async Task Connections_come_in_pages_over_all_replicas()
    {
        await SubscribeAsync(3, 2, 2);

        var seen = new List<string>();
        string? cursor = null;
        do
        {
            var page = await GetAsync(1, $"/connections?limit=3{(cursor is null ? "" : "&cursor=" + cursor)}");
            Assert.InRange(Rows(page).Length, 1, 3);
            Assert.Equal(7, page.GetProperty("total").GetInt32());
            seen.AddRange(Rows(page).Select(row => row.GetProperty("id").GetString()!));
            cursor = page.GetProperty("next").GetString();
            Assert.Equal(cursor is not null, page.GetProperty("truncated").GetBoolean());
        }
        while (cursor is not null);

        Assert.Equal(7, seen.Count);
        Assert.Equal(seen.Distinct().Order(StringComparer.Ordinal), seen);
    }

    [Fact]
    public async Task Streams_count_the_subscribers_of_all_replicas()
    {
        await _log.AppendNumbersAsync(_stream, 1, 2);
        await SubscribeAsync(1, 2, 3);

        var one = await GetAsync(0, $"/streams/{_stream}");
        var all = await GetAsync(1, "/streams");
        var local = await GetAsync(0, $"/streams/{_stream}?scope=local");

        Assert.Equal(6, one.GetProperty("subscribers").GetInt32());
        Assert.Equal(6, all.GetProperty("streams").EnumerateArray().Single(item => item.GetProperty("name").GetString() == _stream)
            .GetProperty("subscribers").GetInt32());
        Assert.Equal(1, local.GetProperty("subscribers").GetInt32());
        AssertComplete(one);
        AssertComplete(all);
    }

    [Fact]
    public async Task Stats_are_sums_over_all_replicas_with_their_parts()
    {
        await _log.AppendNumbersAsync(_stream, 1, 5);
        foreach (var client in await SubscribeAsync(1, 1, 1))
        {
            for (var number = 1; number <= 5; number++)
            {
                await client.ReadEventAsync();
            }
        }

        var stats = await GetAsync(2, "/stats");

        Assert.Equal(3, stats.GetProperty("connections").GetProperty("active").GetInt32());
        Assert.Equal(3, stats.GetProperty("connections").GetProperty("transports").GetProperty("sse").GetInt32());
        Assert.Equal(3_000, stats.GetProperty("connections").GetProperty("max").GetInt32());
        Assert.Equal(15, stats.GetProperty("delivered").GetProperty("events").GetInt64());
        Assert.Equal(["one", "three", "two"], stats.GetProperty("replicas").EnumerateArray().Select(item => item.GetProperty("name").GetString()!));
        var feed = stats.GetProperty("feeds").EnumerateArray().First(item => item.GetProperty("stream").GetString() == _stream);
        Assert.Equal(1, feed.GetProperty("subscribers").GetInt32());
        Assert.Equal(5, feed.GetProperty("buffered").GetInt32());
        Assert.True(feed.GetProperty("bufferedBytes").GetInt64() > 0);
        Assert.Equal(4_096, feed.GetProperty("window").GetInt32());
        Assert.Equal(0, feed.GetProperty("inFlight").GetInt32());
        Assert.Equal(0, feed.GetProperty("retries").GetInt64());
        Assert.True(feed.GetProperty("healthy").GetBoolean());
        Assert.InRange(feed.GetProperty("uptimeSeconds").GetDouble(), 0, 600);
        Assert.Equal(JsonValueKind.String, feed.GetProperty("lastActivity").ValueKind);
        Assert.Equal(0, stats.GetProperty("sessions").GetArrayLength());
        AssertComplete(stats);
        var local = await GetAsync(2, "/stats?scope=local");
        Assert.Equal("three", Assert.Single(local.GetProperty("replicas").EnumerateArray()).GetProperty("name").GetString());
    }

    [Fact]
    public async Task A_replica_that_was_killed_is_named_and_one_that_stopped_is_not_missed()
    {
        await SubscribeAsync(1, 1, 1);
        await _log.Database.StringSetAsync("{fleet}:replica:dead", """{"id":"dead","name":"ghost","address":null}""");
        await _log.Database.SetAddAsync("{fleet}:replicas", ["dead", "expired"]);
        await _hosts[2].StopAsync();

        foreach (var path in new[] { "/connections", "/stats", "/streams", "/connections?limit=1" })
        {
            var answer = await GetAsync(0, path);
            Assert.Equal(["ghost"], answer.GetProperty("unanswered").EnumerateArray().Select(item => item.GetString()!));
            Assert.True(answer.GetProperty("partial").GetBoolean());
        }

        using var unknown = await DeleteAsync(0, "/connections/0123456789abcdef");
        Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);
        var problem = await unknown.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken);
        Assert.Equal("ghost", Assert.Single(problem.GetProperty("unanswered").EnumerateArray()).GetString());
        AssertComplete(await GetAsync(0, "/stats?scope=local"));
        Assert.False(await _log.Database.SetContainsAsync("{fleet}:replicas", "expired"), "Who has no key is struck off.");
    }

    [Fact]
    public async Task Without_redis_a_replica_answers_for_itself_and_says_who_is_missing()
    {
        await SubscribeAsync(2, 1, 1);
        await _redis.StopAsync(TestContext.Current.CancellationToken);

        var connections = await GetAsync(0, "/connections");
        var stats = await GetAsync(0, "/stats");

        Assert.Equal(2, Rows(connections).Length);
        Assert.Equal(2, stats.GetProperty("connections").GetProperty("active").GetInt32());
        foreach (var answer in new[] { connections, stats })
        {
            Assert.Equal(["three", "two"], answer.GetProperty("unanswered").EnumerateArray().Select(item => item.GetString()!));
            Assert.True(answer.GetProperty("partial").GetBoolean());
        }
    }

    [Fact]
    public async Task A_redis_that_forgot_everything_learns_again_who_is_there()
    {
        await _log.Database.ExecuteAsync("FLUSHALL");

        await KnownAsync(_hosts.Count);

        AssertComplete(await GetAsync(0, "/stats"));
    }

    [Fact]
    public async Task Equal_questions_at_once_are_asked_once()
    {
        var asked = 0;
        using var listener = await ConnectionMultiplexer.ConnectAsync(_redis.ConnectionString);
        await listener.GetSubscriber().SubscribeAsync(
            new RedisChannel("fleet:ask", RedisChannel.PatternMode.Literal), (_, _) => Interlocked.Increment(ref asked));

        // A replica that never answers keeps each question open for its whole time.
        await _log.Database.StringSetAsync("{fleet}:replica:dead", """{"id":"dead","name":"ghost","address":null}""");
        await _log.Database.SetAddAsync("{fleet}:replicas", "dead");
        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => GetAsync(0, "/stats")));

        Assert.All(answers, answer => Assert.Equal(3, answer.GetProperty("replicas").GetArrayLength()));
        Assert.InRange(Volatile.Read(ref asked), 1, 5);
    }

    [Fact]
    public async Task Damaged_messages_harm_nobody()
    {
        var subscriber = _log.Database.Multiplexer.GetSubscriber();
        foreach (var text in new[] { "", "nonsense", "{}", "[]", "null", """{"id":1,"from":"x","question":{"subject":99}}""", """{"id":1,"from":"x"}""" })
        {
            await subscriber.PublishAsync(new RedisChannel("fleet:ask", RedisChannel.PatternMode.Literal), text);
            foreach (var host in _hosts)
            {
                await subscriber.PublishAsync(
                    new RedisChannel("fleet:answer:" + host.Get<ReplicaIdentity>().Id, RedisChannel.PatternMode.Literal), text);
            }
        }

        AssertComplete(await GetAsync(0, "/stats"));
    }

    private static JsonElement[] Rows(JsonElement list) => [.. list.GetProperty("connections").EnumerateArray()];

    private static void AssertComplete(JsonElement answer)
    {
        Assert.Equal(0, answer.GetProperty("unanswered").GetArrayLength());
        Assert.False(answer.GetProperty("partial").GetBoolean());
    }

    private Task<StreamApiHost> StartAsync(string name) => StreamApiHost.StartAsync(
        _redis.ConnectionString, $"--Fleet:ReplicaName={name}", "--Fleet:AnnounceInterval=00:00:00.500", "--Logging:LogLevel:Default=Error");

    /// <summary>Returns when every replica's answer is of all.</summary>
    private Task KnownAsync(int count) => Eventually.TrueAsync(
        async () =>
        {
            var answers = await Task.WhenAll(Enumerable.Range(0, count).Select(host => GetAsync(host, "/stats")));
            return answers.All(answer => answer.GetProperty("replicas").GetArrayLength() == count && !answer.GetProperty("partial").GetBoolean());
        },
        SseClient.Patience,
        "the replicas know each other",
        TestContext.Current.CancellationToken);

    private async Task<List<SseClient>> SubscribeAsync(params int[] clients)
    {
        for (var host = 0; host < clients.Length; host++)
        {
            for (var client = 0; client < clients[host]; client++)
            {
                _clients.Add(await _hosts[host].OpenAsync($"/streams/{_stream}/events"));
            }
        }

        return _clients;
    }

    private async Task<JsonElement> GetAsync(int host, string path) =>
        await _hosts[host].Client.GetFromJsonAsync<JsonElement>(path, TestContext.Current.CancellationToken);

    private Task<HttpResponseMessage> DeleteAsync(int host, string path) =>
        _hosts[host].Client.DeleteAsync(path, TestContext.Current.CancellationToken);
}
