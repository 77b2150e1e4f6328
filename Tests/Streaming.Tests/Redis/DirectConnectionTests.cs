using AspireStreaming.Streaming.Redis;
using AspireStreaming.Streaming.Redis.Wire;
using AspireStreaming.TestSupport;
using AspireStreaming.TestSupport.Faults;
using StackExchange.Redis;
using static AspireStreaming.Streaming.Tests.Redis.LogClient;

namespace AspireStreaming.Streaming.Tests.Redis;

/// <summary>Appends over the connection of their own: when they take it, and what is left of them when it breaks.</summary>
public sealed class DirectConnectionTests : IAsyncLifetime
{
    private const string Stream = "direct";

    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    private RedisProcess _redis = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _redis = await RedisProcess.StartAsync(cancellationToken: Cancelled);

    public ValueTask DisposeAsync() => _redis.DisposeAsync();

    [Fact]
    public async Task Appends_take_it_when_it_is_open_and_introduce_themselves_as_the_client_does()
    {
        await using var redis = await RedisProcess.StartAsync(password: "secret", cancellationToken: Cancelled);
        using var client = new LogClient($"{redis.ConnectionString},name=tester,defaultDatabase=3");
        await OpenAsync(client);

        await client.AppendAsync(Stream, Event("2"));

        Assert.Equal("tester-appends", await LastCallerAsync(client));
        Assert.Equal(["1", "2"], (await client.ReadAllAsync(Stream)).Select(IdOf));
    }

    [Fact]
    public async Task Appends_go_by_the_client_with_the_option_off()
    {
        using var client = new LogClient(
            $"{_redis.ConnectionString},name=tester", new HotLogOptions { HealingPhase = TimeSpan.Zero, DirectConnection = false });
        await client.AppendAsync(Stream, Event("1"));

        await client.AppendAsync(Stream, Event("2"));

        Assert.Equal("tester", await LastCallerAsync(client));
        Assert.Equal(["1", "2"], (await client.ReadAllAsync(Stream)).Select(IdOf));
    }

    [Fact]
    public void What_only_the_client_can_do_is_left_to_it()
    {
        var endPoint = new System.Net.DnsEndPoint("redis", 6379);

        Assert.Null(WireSettings.From(ConfigurationOptions.Parse("redis,ssl=true"), endPoint, "x"));
        Assert.Null(WireSettings.From(ConfigurationOptions.Parse("redis,proxy=Twemproxy"), endPoint, "x"));
        Assert.Null(WireSettings.From(ConfigurationOptions.Parse("redis,$EVALSHA=other"), endPoint, "x"));
        Assert.Equal(
            new WireSettings(endPoint, null, "p=w", "a-b-x", 2),
            WireSettings.From(ConfigurationOptions.Parse("redis,password=p=w,name=a b,defaultDatabase=2"), endPoint, "x"));
    }

    [Fact]
    public async Task Large_and_many_appends_at_once_are_each_answered_their_own()
    {
        using var client = new LogClient(_redis.ConnectionString);
        await OpenAsync(client);
        var streams = Enumerable.Range(0, 32).Select(number => $"many-{number}").ToArray();

        var appends = await Task.WhenAll(Enumerable.Range(0, 2000).Select(async number =>
        {
            var stream = streams[number % streams.Length];
            var result = await client.Log.AppendAsync(Generated(stream, number % 100 == 0 ? 1000 : 1), Cancelled);
            return (stream, result);
        }));

        foreach (var group in appends.GroupBy(append => append.stream))
        {
            var stored = await client.ReadAllAsync(group.Key);
            Assert.Equal(stored.Length, group.Sum(append => append.result.Accepted));
            Assert.Equal(Enumerable.Range(1, stored.Length).Select(number => (long)number), stored.Select(item => item.Position.Sequence));
            Assert.Equal(group.Count(), group.Select(append => append.result.First).Distinct().Count());
        }

        Assert.True(client.IsDirect);
    }

    [Fact]
    public async Task Killed_connection_is_opened_again_and_what_was_under_way_is_appended_once()
    {
        using var client = new LogClient($"{_redis.ConnectionString},name=tester");
        await OpenAsync(client);
        using var stop = new CancellationTokenSource();
        var writing = Task.WhenAll(Enumerable.Range(0, 16).Select(writer => AppendUntilAsync(client, $"killed-{writer}", stop.Token)));

        for (var kill = 0; kill < 3; kill++)
        {
            await client.BecomeDirectAsync();
            await KillAsync(client, "tester-appends");
        }

        await client.BecomeDirectAsync();
        await stop.CancelAsync();

        var written = await writing;
        for (var writer = 0; writer < written.Length; writer++)
        {
            var stored = await client.ReadAllAsync($"killed-{writer}");
            Assert.Equal(Enumerable.Range(0, written[writer]).Select(number => $"{number}"), stored.Select(IdOf));
        }

        Assert.True(written.Sum() > written.Length);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Silent_connection_times_out_and_is_opened_again(bool frozen)
    {
        await using var proxy = TcpFaultProxy.Start(_redis.Port);
        using var client = new LogClient(
            $"127.0.0.1:{proxy.Port}", new HotLogOptions { HealingPhase = TimeSpan.Zero, CommandTimeout = TimeSpan.FromMilliseconds(300) });
        await OpenAsync(client);
        var request = Generated(Stream, 1);
        if (frozen)
        {
            _redis.Suspend();
        }
        else
        {
            proxy.Stall();
        }

        // More than one: those that wait for their turn hear of it as well.
        var other = Generated(Stream, 1);
        var appends = new[] { client.Log.AppendAsync(request, Cancelled), client.Log.AppendAsync(other, Cancelled) };
        foreach (var append in appends)
        {
            var failure = await Assert.ThrowsAnyAsync<Exception>(() => append);
            Assert.True(RedisFaults.Classify(failure) is FaultKind.Timeout or FaultKind.Transient, failure.ToString());
        }

        Assert.False(client.IsDirect);
        if (frozen)
        {
            _redis.Resume();
        }
        else
        {
            proxy.Mend();
        }

        await AppendWhenPossibleAsync(client, request);
        await AppendWhenPossibleAsync(client, other);
        await client.BecomeDirectAsync();
        Assert.Equal(
            ["1", request.Events[0].Id, other.Events[0].Id],
            (await client.ReadAllAsync(Stream)).Select(IdOf).Order(Comparer<string>.Create((left, right) => Rank(left).CompareTo(Rank(right)))));

        int Rank(string id) => id == "1" ? 0 : id == request.Events[0].Id ? 1 : id == other.Events[0].Id ? 2 : 3;
    }

    [Fact]
    public async Task Connection_that_only_this_network_forgot_costs_one_time_out_and_appends_go_on_by_the_client()
    {
        await using var proxy = TcpFaultProxy.Start(_redis.Port);
        using var client = new LogClient(
            $"127.0.0.1:{proxy.Port},name=tester", new HotLogOptions { HealingPhase = TimeSpan.Zero, CommandTimeout = TimeSpan.FromMilliseconds(500) });
        await OpenAsync(client);

        // All are silent that exist now; the client finds out about its own by the link's monitor or a failure, here it is killed.
        proxy.StallExisting();
        var request = Generated(Stream, 1);
        await Assert.ThrowsAnyAsync<Exception>(() => client.Log.AppendAsync(request, Cancelled));
        proxy.Mend();

        await AppendWhenPossibleAsync(client, request);
        await client.BecomeDirectAsync();
        Assert.Equal(["1", request.Events[0].Id], (await client.ReadAllAsync(Stream)).Select(IdOf));
    }

    [Fact]
    public async Task Redis_that_was_killed_and_wiped_is_noticed_before_anything_is_appended()
    {
        using var client = new LogClient(_redis.ConnectionString);
        await OpenAsync(client);
        var before = await client.AppendAsync(Stream, Event("2"));

        _redis.Kill();
        await _redis.StartAsync(Cancelled);
        var after = await AppendWhenPossibleAsync(client, Request(Stream, Event("3")));

        Assert.True(after.Last.Epoch > before.Last.Epoch);
        await client.BecomeDirectAsync();
        var next = await client.AppendAsync(Stream, Event("4"));
        Assert.Equal((after.Last.Epoch, after.Last.Sequence + 1), (next.Last.Epoch, next.Last.Sequence));
        Assert.Equal(["3", "4"], (await client.ReadAllAsync(Stream)).Select(IdOf));
    }

    [Fact]
    public async Task Scripts_that_redis_forgot_are_loaded_again()
    {
        using var client = new LogClient(_redis.ConnectionString);
        await OpenAsync(client);
        await client.Database.ExecuteAsync("SCRIPT", "FLUSH");

        var result = await client.AppendAsync(Stream, Event("2"));

        Assert.Equal((1, 2L), (result.Accepted, result.Last.Sequence));
        Assert.True(client.IsDirect);
    }

    [Fact]
    public async Task Connection_to_what_has_become_a_replica_is_given_up()
    {
        using var client = new LogClient(_redis.ConnectionString);
        await OpenAsync(client);
        var before = await client.AppendAsync(Stream, Event("2"));
        await client.Database.ExecuteAsync("REPLICAOF", "127.0.0.1", "1");
        var request = Request(Stream, Event("3"));

        var failure = await Assert.ThrowsAnyAsync<Exception>(() => client.Log.AppendAsync(request, Cancelled));

        Assert.Equal(FaultKind.Transient, RedisFaults.Classify(failure));
        Assert.False(client.IsDirect);
        await client.Database.ExecuteAsync("REPLICAOF", "NO", "ONE");
        var after = await AppendWhenPossibleAsync(client, request);
        Assert.True(after.Last.Epoch > before.Last.Epoch);
        await client.BecomeDirectAsync();
        Assert.Equal(["1", "2", "3"], (await client.ReadAllAsync(Stream)).Select(IdOf));
    }

    [Fact]
    public async Task Connection_that_leads_to_another_process_than_the_clients_is_not_used()
    {
        await using var other = await RedisProcess.StartAsync(cancellationToken: Cancelled);
        await using var proxy = TcpFaultProxy.Start(_redis.Port);
        using var client = new LogClient($"127.0.0.1:{proxy.Port},name=tester");
        await OpenAsync(client);

        // What is open stays; whoever comes next is led elsewhere.
        proxy.TargetPort = other.Port;
        var accepted = proxy.Accepted;
        await KillAsync(client, "tester-appends");
        await Eventually.TrueAsync(() => !client.IsDirect, Deadline, "the loss to be noticed", Cancelled);
        await AppendWhenPossibleAsync(client, Request(Stream, Event("2")));
        await Eventually.TrueAsync(() => proxy.Accepted > accepted + 1, Deadline, "two more attempts", Cancelled);
        await AppendWhenPossibleAsync(client, Request(Stream, Event("3")));

        Assert.False(client.IsDirect);
        Assert.Equal(["1", "2", "3"], (await client.ReadAllAsync(Stream)).Select(IdOf));
        Assert.Equal(":0", await other.SendAsync("DBSIZE", Cancelled));
    }

    [Fact]
    public async Task Nothing_is_known_any_more_when_the_fence_is_distrusted()
    {
        using var client = new LogClient(_redis.ConnectionString);
        await OpenAsync(client);

        client.Fence.Distrust();

        Assert.False(client.IsDirect);
        await client.AppendAsync(Stream, Event("2"));
        await client.BecomeDirectAsync();
    }

    /// <summary>Appends the first event, and waits until the next goes over the connection of its own.</summary>
    private static async Task OpenAsync(LogClient client)
    {
        await AppendWhenPossibleAsync(client, Request(Stream, Event("1")));
        await client.Log.Shared.Proving.WaitAsync(Cancelled);
        await client.BecomeDirectAsync();
    }

    /// <summary>Appends one event after another, each as often as it takes; ids are their numbers.</summary>
    private static async Task<int> AppendUntilAsync(LogClient client, string stream, CancellationToken stop)
    {
        var written = 0;
        while (!stop.IsCancellationRequested)
        {
            await AppendWhenPossibleAsync(client, Request(stream, Event($"{written}")));
            written++;
        }

        return written;
    }

    private static async Task<AppendResult> AppendWhenPossibleAsync(LogClient client, AppendRequest request)
    {
        AppendResult? result = null;
        await Eventually.TrueAsync(
            async () =>
            {
                try
                {
                    result = await client.Log.AppendAsync(request, Cancelled);
                    return true;
                }
                catch (Exception exception) when (RedisFaults.Classify(exception) is FaultKind.Transient or FaultKind.Timeout)
                {
                    return false;
                }
            },
            Deadline,
            "an append",
            Cancelled);
        return result!;
    }

    /// <summary>Kills a connection, once it is there.</summary>
    private static Task KillAsync(LogClient client, string name) => Eventually.TrueAsync(
        async () =>
        {
            var list = (string)(await client.Database.ExecuteAsync("CLIENT", "LIST"))!;
            var line = list.Split('\n').FirstOrDefault(line => line.Contains($" name={name} ", StringComparison.Ordinal));
            return line is not null && (int)await client.Database.ExecuteAsync("CLIENT", "KILL", "ID", line.Split(' ')[0]["id=".Length..]) == 1;
        },
        Deadline,
        "the connection to be killed",
        Cancelled);

    /// <summary>Name of the connection that called the last script.</summary>
    private static async Task<string> LastCallerAsync(LogClient client)
    {
        await client.Database.ExecuteAsync("CONFIG", "SET", "slowlog-log-slower-than", "0");
        await client.AppendAsync(Stream, Event("2"));
        var calls = (RedisResult[])(await client.Database.ExecuteAsync("SLOWLOG", "GET", "100"))!;
        return calls.Select(call => (RedisResult[])call!)
            .Where(call => (string)((RedisResult[])call[3]!)[0]! == "EVALSHA" && ((RedisResult[])call[3]!).Any(argument => ((string)argument!).EndsWith(":s:" + Stream, StringComparison.Ordinal)))
            .Select(call => (string)call[5]!).First();
    }
}
