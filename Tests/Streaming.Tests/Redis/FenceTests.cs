using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;
using AspireStreaming.TestSupport;
using StackExchange.Redis;
using static AspireStreaming.Streaming.Tests.Redis.LogClient;

namespace AspireStreaming.Streaming.Tests.Redis;

/// <summary>Each of these has a server of its own, because it breaks it. Appends go by the shared script as soon as they may.</summary>
public class FenceTests : IAsyncLifetime
{
    private const string Stream = "fenced";

    private readonly string _folder = Directory.CreateTempSubdirectory("fence-test-").FullName;
    private RedisProcess _redis = null!;
    private LogClient _client = null!;

    /// <summary>Whether appends share scripts.</summary>
    protected virtual bool Shares => true;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _redis = await RedisProcess.StartAsync(
            dataFolder: _folder, arguments: ["--enable-debug-command", "yes"], cancellationToken: Cancelled);
        _client = NewClient();
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _redis.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task Restart_raises_the_epoch_and_links_to_the_last_event()
    {
        var before = await _client.AppendAsync(Stream, Event("1"), Event("2"));
        await _redis.StopAsync(Cancelled);
        await _redis.StartAsync(Cancelled);

        var after = await AppendWhenBackAsync(Event("2"), Event("3"));

        Assert.Equal((1, 1), (after.Accepted, after.Duplicates));
        Assert.Equal(before.Last, after.First);
        Assert.True(after.Last.Epoch > before.Last.Epoch);
        Assert.Equal(3, after.Last.Sequence);
        var read = await _client.ReadAllAsync(Stream);
        Assert.Equal(["1", "2", "3"], read.Select(IdOf));
        Assert.Equal(before.Last, read[2].Previous);
        var log = await _client.Reader.ReadArchiveLogAsync(StreamName.PartitionOf(Stream), StreamPosition.Zero, 100, Cancelled);
        Assert.Equal(
            [ArchiveLogKind.Raise, ArchiveLogKind.Append, ArchiveLogKind.Raise, ArchiveLogKind.Append],
            log.Select(entry => entry.Kind));
    }

    [Fact]
    public async Task Wiped_server_never_uses_a_position_again()
    {
        var before = await _client.AppendAsync(Stream, Event("1"), Event("2"));
        await _client.Database.ExecuteAsync("FLUSHALL");

        var after = await _client.AppendAsync(Stream, Event("3"));

        Assert.True(after.First > before.Last);
        Assert.True(after.First.Epoch > before.Last.Epoch);
        Assert.Single(await _client.ReadAllAsync(Stream));
    }

    [Fact]
    public async Task Old_epoch_restored_is_raised_above_what_was_seen()
    {
        var first = await _client.AppendAsync(Stream, Event("1"));
        var partition = StreamName.PartitionOf(Stream);
        var seen = _client.Fence.HighestSeen(partition);
        await _client.Database.StringSetAsync(StreamKeys.Epoch(partition), seen - 5);

        var second = await _client.AppendAsync(Stream, Event("2"));

        Assert.True(_client.Fence.HighestSeen(partition) > seen);
        Assert.True(second.Last.Epoch > first.Last.Epoch);
        Assert.Equal(first.Last, (await _client.ReadAllAsync(Stream))[1].Previous);
    }

    [Fact]
    public async Task Second_process_takes_over_the_epoch_without_raising()
    {
        var first = await _client.AppendAsync(Stream, Event("1"));
        using var other = NewClient();

        var second = await other.AppendAsync(Stream, Event("2"));

        Assert.Equal(first.Last.Next, second.First);
    }

    [Fact]
    public async Task Lost_scripts_are_loaded_again_and_raise_nothing()
    {
        using var other = NewClient();
        await _client.AppendAsync(Stream, Event("1"));
        await other.AppendAsync(Stream, Event("2"));
        await _client.Database.ExecuteAsync("SCRIPT", "FLUSH");

        var results = await Task.WhenAll(Enumerable.Range(3, 20).Select(number =>
            (number % 2 == 0 ? _client : other).AppendAsync(Stream, Event($"{number}"))));

        var read = await _client.ReadAllAsync(Stream);
        Assert.Equal(Enumerable.Range(1, 22).Select(number => (long)number), read.Select(stored => stored.Position.Sequence));
        Assert.Single(read.Select(stored => stored.Position.Epoch).Distinct());
        Assert.Single(results.Select(result => result.Last.Epoch).Distinct());
    }

    [Fact]
    public async Task Raise_loads_what_appends_and_a_delete_loads_its_own_script_without_raising()
    {
        var partition = StreamName.PartitionOf(Stream);
        await _client.AppendAsync(Stream, Event("1"));
        var epoch = _client.Fence.HighestSeen(partition);
        var scripts = new FencedScripts(partition, epoch);
        var heals = new HealingScript(partition, epoch);

        var raised = await KnownAsync(scripts.Append, scripts.Delete, heals.Hash);
        Assert.True(await _client.Log.DeleteAsync(Stream, fromArchive: false, Cancelled));
        var deleted = await KnownAsync(scripts.Append, scripts.Delete, heals.Hash);

        Assert.Equal([true, false, false], raised);
        Assert.Equal([true, true, false], deleted);
        Assert.Equal(epoch, (await _client.Fence.CheckAsync(partition, Cancelled)).Value);
    }

    [Fact]
    public async Task Publishers_of_two_versions_share_an_epoch()
    {
        var partition = StreamName.PartitionOf(Stream);
        await _client.AppendAsync(Stream, Event("1"));
        var epoch = await _client.Fence.CheckAsync(partition, Cancelled);

        // What a publisher of another version finds: none of its scripts.
        for (var turn = 0; turn < 5; turn++)
        {
            await _client.Database.ExecuteAsync("SCRIPT", "FLUSH");
            using var other = new LogClient(_redis.ConnectionString);
            await other.AppendAsync(Stream, Event($"other-{turn}"));
            await _client.AppendAsync(Stream, Event($"this-{turn}"));
        }

        Assert.Equal(epoch, await _client.Fence.CheckAsync(partition, Cancelled));
        Assert.Equal(Enumerable.Range(1, 11).Select(number => (long)number), (await _client.ReadAllAsync(Stream)).Select(stored => stored.Position.Sequence));
        Assert.Single((await _client.ReadAllAsync(Stream)).Select(stored => stored.Position.Epoch).Distinct());
    }

    [Fact]
    public async Task Missing_scripts_in_a_process_that_was_a_replica_raise()
    {
        var partition = StreamName.PartitionOf(Stream);
        await _client.AppendAsync(Stream, Event("1"));
        var epoch = await _client.Fence.CheckAsync(partition, Cancelled);
        await _client.Database.ExecuteAsync("DEBUG", "CHANGE-REPL-ID");
        await _client.Database.ExecuteAsync("SCRIPT", "FLUSH");

        var result = await _client.AppendAsync(Stream, Event("2"));

        Assert.True((await _client.Fence.CheckAsync(partition, Cancelled)).Value > epoch.Value);
        Assert.Equal(2, (await _client.ReadAllAsync(Stream)).Select(stored => stored.Position.Epoch).Distinct().Count());
        Assert.Equal(2, result.Last.Sequence);
    }

    [Fact]
    public async Task Script_of_another_epoch_is_refused()
    {
        await _client.AppendAsync(Stream, Event("1"));
        var partition = StreamName.PartitionOf(Stream);
        var stale = new FencedScripts(partition, _client.Fence.HighestSeen(partition) - 1);
        var hash = (byte[])(await _client.Database.ExecuteAsync("SCRIPT", "LOAD", stale.AppendText))!;
        Assert.Equal(Convert.ToHexStringLower(stale.Append), System.Text.Encoding.ASCII.GetString(hash));

        var reply = (string)(await _client.Database.ScriptEvaluateAsync(stale.Append, [StreamKeys.Stream(Stream)], [stale.EpochText, Event(attempt: GeneratedId.NewAttempt()).Frame]))!;

        Assert.StartsWith("STALE ", reply, StringComparison.Ordinal);
    }

    [Fact]
    public async Task New_partition_opens_at_once_and_a_lost_one_heals_first()
    {
        var partition = StreamName.PartitionOf(Stream);
        using var slow = new LogClient(_redis.ConnectionString, Options(TimeSpan.FromMinutes(1)));
        await slow.AppendAsync(Stream, Event("1"));
        Assert.False((await slow.Fence.CheckAsync(partition, Cancelled)).IsHealing);

        await slow.Database.ExecuteAsync("SCRIPT", "FLUSH");
        await slow.AppendAsync(Stream, Event("2"));
        Assert.False((await slow.Fence.CheckAsync(partition, Cancelled)).IsHealing);

        await slow.Database.ExecuteAsync("FLUSHALL");
        Assert.True((await slow.Fence.CheckAsync(partition, Cancelled)).IsHealing);
        var waiting = slow.AppendAsync(Stream, Event("3"));
        await Assert.ThrowsAsync<TimeoutException>(() => waiting.WaitAsync(TimeSpan.FromMilliseconds(300), TimeProvider.System, Cancelled));
    }

    [Fact]
    public async Task Appends_wait_for_the_phase_and_then_go_on()
    {
        using var patient = new LogClient(_redis.ConnectionString, Options(TimeSpan.FromMilliseconds(400)));
        await patient.AppendAsync(Stream, Event("1"));
        await patient.Database.ExecuteAsync("FLUSHALL");

        var start = TimeProvider.System.GetTimestamp();
        await patient.AppendAsync(Stream, Event("2"));

        Assert.True(TimeProvider.System.GetElapsedTime(start) >= TimeSpan.FromMilliseconds(350));
    }

    [Fact]
    public async Task Demoted_and_promoted_again_raises_although_epoch_and_scripts_are_there()
    {
        await _client.AppendAsync(Stream, Event("1"));
        await _client.Database.ExecuteAsync("SAVE");
        var lost = await _client.AppendAsync(Stream, Event("2"));
        await _client.LoseTailAsync();

        await _client.Fence.SettleAsync(StreamName.PartitionOf(Stream), Cancelled);
        var next = await _client.AppendAsync(Stream, Event("3"));

        Assert.True(next.Last > lost.Last);
        Assert.Equal(["1", "3"], (await _client.ReadAllAsync(Stream)).Select(IdOf));
    }

    [Fact]
    public async Task Observe_an_epoch_from_elsewhere_raises_above_it()
    {
        var partition = StreamName.PartitionOf(Stream);
        await _client.AppendAsync(Stream, Event("1"));
        var later = _client.Fence.HighestSeen(partition) + 1_000_000;

        Assert.True(_client.Fence.Observe(partition, later));
        Assert.False(_client.Fence.Observe(partition, later - 1));
        await _client.Fence.CheckAsync(partition, Cancelled);

        Assert.True(_client.Fence.HighestSeen(partition) > later);
    }

    [Fact]
    public async Task Full_redis_refuses_the_whole_append()
    {
        await _client.AppendAsync(Stream, Event("1"));
        await _client.Database.ExecuteAsync("CONFIG", "SET", "maxmemory", "1");

        var failure = await Assert.ThrowsAnyAsync<Exception>(() => _client.AppendAsync(Stream, Event("2"), Event("3")));

        Assert.Equal(FaultKind.ResourceExhausted, RedisFaults.Classify(failure));
        await _client.Database.ExecuteAsync("CONFIG", "SET", "maxmemory", "0");
        Assert.Single(await _client.ReadAllAsync(Stream));
    }

    private HotLogOptions Options(TimeSpan healing) => new() { HealingPhase = healing, ShareScripts = Shares };

    /// <summary>Which scripts Redis knows.</summary>
    private async Task<bool[]> KnownAsync(params byte[][] hashes) =>
        [.. ((RedisResult[])(await _client.Database.ExecuteAsync("SCRIPT", ["EXISTS", .. hashes.Select(Convert.ToHexStringLower)]))!).Select(known => (int)known == 1)];

    private LogClient NewClient() => new(_redis.ConnectionString, Options(TimeSpan.FromMilliseconds(20)));

    private async Task<AppendResult> AppendWhenBackAsync(params AppendEvent[] events)
    {
        AppendResult? result = null;
        await Eventually.TrueAsync(
            async () =>
            {
                try
                {
                    result = await _client.AppendAsync(Stream, events);
                    return true;
                }
                catch (Exception exception) when (RedisFaults.Classify(exception) is FaultKind.Transient or FaultKind.Timeout)
                {
                    return false;
                }
            },
            TimeSpan.FromSeconds(20),
            "an append after the restart",
            Cancelled);
        return result!;
    }
}

/// <summary>The same without sharing, as in a Redis Cluster: every append by its partition's own script.</summary>
public sealed class PartitionFenceTests : FenceTests
{
    /// <inheritdoc/>
    protected override bool Shares => false;
}
