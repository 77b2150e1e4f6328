using System.Collections.Concurrent;
using System.Globalization;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;
using AspireStreaming.TestSupport;
using StackExchange.Redis;
using static AspireStreaming.Streaming.Tests.Redis.LogClient;

namespace AspireStreaming.Streaming.Tests.Redis;

/// <summary>When requests of several partitions go in one script, and what keeps that from reaching a process that has lost something.</summary>
public sealed class SharedScriptTests : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("shared-script-").FullName;
    private RedisProcess _redis = null!;
    private LogClient _client = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _redis = await RedisProcess.StartAsync(
            dataFolder: _folder, arguments: ["--enable-debug-command", "yes"], cancellationToken: Cancelled);
        _client = new LogClient(_redis.ConnectionString);
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _redis.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Appends_at_once_to_many_partitions_share_scripts_and_each_is_answered_its_own()
    {
        var streams = await OpenAsync(64);
        var before = await CallsAsync();

        var results = await Task.WhenAll(Enumerable.Range(0, 20).SelectMany(turn => streams.Select(
            async stream => (Stream: stream, Id: $"{turn}", Result: await _client.Log.AppendAsync(Request(stream, Event($"{turn}")), Cancelled)))));

        Assert.InRange(await CallsAsync() - before, 1, results.Length / 4);
        foreach (var stream in streams)
        {
            var read = (await _client.ReadAllAsync(stream)).ToDictionary(IdOf, stored => stored.Position);
            Assert.Equal(21, read.Count);
            Assert.Equal(Enumerable.Range(1, 21).Select(number => (long)number), read.Values.Select(position => position.Sequence).Order());
            foreach (var (_, id, result) in results.Where(item => item.Stream == stream))
            {
                Assert.Equal((AppendStatus.Appended, 1, 0), (result.Status, result.Accepted, result.Duplicates));
                Assert.Equal(read[id], result.First);
            }
        }
    }

    [Fact]
    public async Task Partition_that_was_raised_is_refused_and_the_others_of_the_script_are_not()
    {
        var streams = await OpenAsync(32);
        foreach (var partition in streams.Take(8).Select(stream => StreamName.PartitionOf(stream)).Distinct())
        {
            await _client.Database.StringIncrementAsync(StreamKeys.Epoch(partition));
        }

        var results = await Task.WhenAll(streams.Select(stream => _client.Log.AppendAsync(Generated(stream, 1), Cancelled)));

        Assert.All(results, result => Assert.Equal((AppendStatus.Appended, 1, 0), (result.Status, result.Accepted, result.Duplicates)));
        foreach (var stream in streams)
        {
            Assert.Equal([1L, 2L], (await _client.ReadAllAsync(stream)).Select(stored => stored.Position.Sequence));
        }
    }

    [Fact]
    public async Task Broken_stream_fails_its_own_requests_only()
    {
        var streams = await OpenAsync(16);
        await _client.Database.KeyDeleteAsync(StreamKeys.Stream(streams[3]));
        await _client.Database.StringSetAsync(StreamKeys.Stream(streams[3]), "no stream");

        var appends = streams.Select(stream => _client.Log.AppendAsync(Generated(stream, 1), Cancelled)).ToArray();

        for (var index = 0; index < appends.Length; index++)
        {
            if (index == 3)
            {
                var failure = await Assert.ThrowsAnyAsync<Exception>(() => appends[3]);
                Assert.StartsWith("WRONGTYPE", failure.Message, StringComparison.Ordinal);
                Assert.Equal(FaultKind.Permanent, RedisFaults.Classify(failure));
            }
            else
            {
                Assert.Equal(AppendStatus.Appended, (await appends[index]).Status);
            }
        }
    }

    [Fact]
    public async Task Wakes_go_to_those_streams_of_a_script_that_somebody_listens_to()
    {
        var streams = await OpenAsync(32);
        var heard = new ConcurrentDictionary<string, ConcurrentQueue<WakeMessage>>();
        foreach (var stream in streams.Take(2))
        {
            await ListenAsync(_client.Subscriber, stream, heard);
        }

        var before = await CallsAsync("publish");
        const int Turns = 10;
        var results = await Task.WhenAll(Enumerable.Range(0, Turns).SelectMany(_ => streams.Select(
            async stream => (Stream: stream, Result: await _client.Log.AppendAsync(Generated(stream, 1), Cancelled)))));

        // A script of few requests does not ask.
        Assert.InRange(await CallsAsync("publish") - before, 2 * Turns, results.Length / 2);
        foreach (var stream in streams.Take(2))
        {
            await Eventually.TrueAsync(
                () => Task.FromResult(heard.TryGetValue(stream, out var wakes) && wakes.Count == Turns), TimeSpan.FromSeconds(10), $"{Turns} wakes of {stream}", Cancelled);
            var stored = (await _client.ReadAllAsync(stream))[1..];
            Assert.Equal(
                stored.Select(item => (item.Position, item.RecordedAt, IdOf(item))),
                heard[stream].SelectMany(wake => wake.Batch.ReadEvents()).Select(item => (item.Position, item.RecordedAt, IdOf(item))));
            Assert.Equal(
                stored.Select(item => item.Position).Order(),
                results.Where(item => item.Stream == stream).Select(item => item.Result.First).Order());
        }
    }

    [Fact]
    public async Task Wake_of_many_events_that_nobody_listens_to_is_not_published()
    {
        var streams = await OpenAsync(2);
        var heard = new ConcurrentDictionary<string, ConcurrentQueue<WakeMessage>>();
        await ListenAsync(_client.Subscriber, streams[0], heard);
        var before = await CallsAsync("publish");

        await _client.AppendAsync(Generated(streams[0], 100));
        await _client.AppendAsync(Generated(streams[1], 100));

        Assert.Equal(1, await CallsAsync("publish") - before);
        await Eventually.TrueAsync(() => heard.ContainsKey(streams[0]), TimeSpan.FromSeconds(10), "the wake", Cancelled);
        Assert.Equal(100, Assert.Single(heard[streams[0]]).Batch.ReadEvents().Length);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(100)]
    public async Task Wakes_reach_who_listens_at_a_replica(int count)
    {
        await using var replica = await RedisProcess.StartAsync(
            arguments: ["--replicaof", .. _redis.ConnectionString.Split(':', ',').Take(2)], cancellationToken: Cancelled);
        using var connection = await ConnectionMultiplexer.ConnectAsync(replica.ConnectionString);
        await Eventually.TrueAsync(
            async () => ((string)(await connection.GetDatabase().ExecuteAsync("INFO", "replication"))!).Contains("master_link_status:up", StringComparison.Ordinal),
            TimeSpan.FromSeconds(20),
            "the replica to follow",
            Cancelled);
        var streams = await OpenAsync(32);
        var heard = new ConcurrentDictionary<string, ConcurrentQueue<WakeMessage>>();
        foreach (var stream in streams)
        {
            await ListenAsync(connection.GetSubscriber(), stream, heard);
        }

        await Task.WhenAll(streams.Select(stream => _client.Log.AppendAsync(Generated(stream, count), Cancelled)));

        await Eventually.TrueAsync(
            () => Task.FromResult(heard.Count == streams.Length && heard.Values.All(wakes => wakes.Count == 1)),
            TimeSpan.FromSeconds(10),
            "a wake of each stream at the replica",
            Cancelled);
    }

    [Fact]
    public async Task Large_requests_and_retries_go_by_the_script_of_their_partition()
    {
        var stream = Assert.Single(await OpenAsync(1));
        var partition = StreamName.PartitionOf(stream);
        var shared = Convert.ToHexStringLower(_client.Log.Shared.For(partition, _client.Fence.HighestSeen(partition))!);
        await _client.Database.ExecuteAsync("CONFIG", "SET", "slowlog-max-len", "10000");
        await _client.Database.ExecuteAsync("CONFIG", "SET", "slowlog-log-slower-than", "0");
        var request = Generated(stream, 1);

        await _client.AppendAsync(request);
        await _client.AppendAsync(Generated(stream, 100));
        await _client.AppendAsync(request);

        var called = ((RedisResult[])(await _client.Database.ExecuteAsync("SLOWLOG", "GET", "10000"))!)
            .Select(entry => ((RedisResult[])((RedisResult[])entry!)[3]!).Select(argument => (string)argument!).ToArray())
            .Where(command => command[0] == "EVALSHA")
            .Select(command => command[1])
            .Reverse().ToArray();
        Assert.Equal(3, called.Length);
        Assert.Equal([true, false, false], called.Select(script => script == shared));
        Assert.Equal(102, (await _client.ReadAllAsync(stream)).Length);
    }

    [Fact]
    public async Task Nothing_is_proven_after_a_restart_a_change_of_role_or_another_epoch()
    {
        var stream = Assert.Single(await OpenAsync(1));
        var partition = StreamName.PartitionOf(stream);
        var epoch = _client.Fence.HighestSeen(partition);

        Assert.True(await ProvesAsync(partition, epoch));
        Assert.False(await ProvesAsync(partition, epoch + 1));
        await _client.Database.ExecuteAsync("REPLICAOF", "127.0.0.1", "1");
        Assert.False(await ProvesAsync(partition, epoch));
        await _client.Database.ExecuteAsync("REPLICAOF", "NO", "ONE");
        Assert.False(await ProvesAsync(partition, epoch));

        // Raised by the check, since the process has been a replica; then restarted with all its data.
        await _client.Fence.SettleAsync(partition, Cancelled);
        epoch = _client.Fence.HighestSeen(partition);
        Assert.True(await ProvesAsync(partition, epoch));
        await _redis.StopAsync(Cancelled);
        await _redis.StartAsync(Cancelled);
        await Eventually.TrueAsync(
            async () =>
            {
                try
                {
                    return await _client.Database.StringGetAsync(StreamKeys.Epoch(partition)) == epoch;
                }
                catch (RedisException)
                {
                    return false;
                }
            },
            TimeSpan.FromSeconds(20),
            "the data after the restart",
            Cancelled);
        Assert.False(await ProvesAsync(partition, epoch));
    }

    [Fact]
    public async Task Script_that_Redis_forgot_is_loaded_again_under_another_hash()
    {
        var stream = Assert.Single(await OpenAsync(1));
        var partition = StreamName.PartitionOf(stream);
        var before = _client.Log.Shared.For(partition, _client.Fence.HighestSeen(partition));
        await _client.Database.ExecuteAsync("SCRIPT", "FLUSH");

        var result = await _client.AppendAsync(stream, Event("x"));

        var after = _client.Log.Shared.For(partition, _client.Fence.HighestSeen(partition));
        Assert.NotNull(before);
        Assert.NotNull(after);
        Assert.NotEqual(before, after);
        Assert.Equal((1, 0, 2L), (result.Accepted, result.Duplicates, result.Last.Sequence));
    }

    [Fact]
    public async Task Cluster_shares_nothing()
    {
        await using var cluster = await RedisProcess.StartAsync(arguments: ["--cluster-enabled", "yes", "--save", ""], cancellationToken: Cancelled);
        using (var setup = await ConnectionMultiplexer.ConnectAsync(cluster.ConnectionString + ",allowAdmin=true"))
        {
            await setup.GetDatabase().ExecuteAsync("CLUSTER", "ADDSLOTSRANGE", "0", "16383");
        }

        using var client = new LogClient(cluster.ConnectionString);
        var streams = Enumerable.Range(0, 8).Select(number => $"cluster-{number}").ToArray();
        foreach (var stream in streams)
        {
            await Eventually.TrueAsync(
                async () =>
                {
                    try
                    {
                        return (await client.AppendAsync(stream, Event("1"))).Status == AppendStatus.Appended;
                    }
                    catch (Exception exception) when (RedisFaults.Classify(exception) == FaultKind.Transient)
                    {
                        return false;
                    }
                },
                TimeSpan.FromSeconds(20),
                "the cluster to be up",
                Cancelled);
        }

        var results = await Task.WhenAll(streams.Select(stream => client.Log.AppendAsync(Generated(stream, 1), Cancelled)));

        Assert.All(results, result => Assert.Equal(2, result.Last.Sequence));
        Assert.DoesNotContain(streams, client.WillShare);
    }

    /// <summary>Streams with one event each, to which the next append goes by the shared script.</summary>
    private async Task<string[]> OpenAsync(int count)
    {
        var streams = Enumerable.Range(0, count).Select(number => $"shared-{number}").ToArray();
        foreach (var stream in streams)
        {
            await _client.AppendAsync(stream, Event("first"));
        }

        Assert.All(streams, stream => Assert.True(_client.WillShare(stream)));
        return streams;
    }

    private async Task<bool> ProvesAsync(int partition, long epoch)
    {
        var text = FencedScripts.SharedAppendText(Guid.NewGuid().ToString("N"));
        await _client.Database.ExecuteAsync("SCRIPT", "LOAD", text);
        try
        {
            return ((RedisResult[])(await _client.Database.ScriptEvaluateAsync(FencedScripts.Hash(text), [], [$"{{{partition}}}:", epoch]))!).Length == 1;
        }
        catch (RedisServerException exception) when (exception.Message.StartsWith("READONLY", StringComparison.Ordinal))
        {
            return false;
        }
    }

    private static Task ListenAsync(ISubscriber subscriber, string stream, ConcurrentDictionary<string, ConcurrentQueue<WakeMessage>> heard) =>
        subscriber.SubscribeAsync(
            new RedisChannel(StreamKeys.WakeChannel(stream), RedisChannel.PatternMode.Literal),
            (_, message) => heard.GetOrAdd(stream, _ => new()).Enqueue(WakeMessage.Parse((byte[])message!)));

    /// <summary>How many times Redis has run a command, by default scripts.</summary>
    private async Task<long> CallsAsync(string command = "evalsha")
    {
        var name = $"cmdstat_{command}:calls=";
        var statistics = (string)(await _client.Database.ExecuteAsync("INFO", "commandstats"))!;
        var at = statistics.IndexOf(name, StringComparison.Ordinal) + name.Length;
        return long.Parse(statistics.AsSpan(at, statistics.IndexOf(',', at) - at), CultureInfo.InvariantCulture);
    }
}
