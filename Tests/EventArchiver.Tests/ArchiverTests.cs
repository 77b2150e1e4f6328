using AspireStreaming.Archive.Writing;
using AspireStreaming.EventArchiver.Archiving;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;
using AspireStreaming.TestSupport;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace AspireStreaming.EventArchiver.Tests;

/// <summary>The whole service on real servers: every event that was acknowledged is in the archive exactly once, whatever happens.</summary>
public sealed class ArchiverTests(Servers servers)
{
    private static CancellationToken Token => World.Token;

    [Fact]
    public async Task Archiver_moves_everything_and_tells_redis()
    {
        await using var world = await World.CreateAsync(servers);
        await using var archiver = await world.StartArchiverAsync();
        for (var round = 0; round < 5; round++)
        {
            await Task.WhenAll(Enumerable.Range(0, 40).Select(number => world.AppendAsync($"run-{number}", 1 + (number * 3))));
        }

        await world.AppendAsync("run-1", TestEvents.Append("end", "WORKFLOW_COMPLETED", EventFlags.Terminal));
        await world.AssertArchivedOnceAsync();
        await world.AssertTrimmedAsync();

        var meta = await world.Reader.ReadMetaAsync("run-1", Token);
        Assert.Equal(meta!.Last, meta.Archived);
        Assert.NotNull(await world.RedisDatabase.KeyTimeToLiveAsync(StreamKeys.Stream("run-1")));
        var stream = await world.Archive.ReadStreamAsync("run-1", Token);
        Assert.Equal(("completed", "WORKFLOW_COMPLETED"), (stream!.EndState, stream.EndType));
        var partition = StreamName.PartitionOf("run-1");
        Assert.Equal(await world.Reader.ReadArchiveLogEndAsync(partition, Token), await world.Archive.ReadWatermarkAsync(partition, Token));
        var metrics = archiver.Services.GetRequiredService<ArchiverMetrics>();
        Assert.Equal(world.Acknowledged, metrics.Archived);
        Assert.Equal((1, 0, 0, 0), metrics.Ends);
        Assert.Equal([], await LeftOversAsync(world));
    }

    [Fact]
    public async Task Archiver_after_a_predecessor_that_committed_but_did_not_trim_archives_nothing_twice()
    {
        await using var world = await World.CreateAsync(servers);
        await world.Schema.MigrateAsync(Token);
        await world.AppendAsync("s", 300);
        await CommitWithoutTrimmingAsync(world, "s");
        await world.AppendAsync("s", 50);
        Assert.True(await world.Reader.CountArchiveLogAsync(StreamName.PartitionOf("s"), Token) > 1);

        await world.StartArchiverAsync();

        await world.AssertArchivedOnceAsync();
        await world.AssertTrimmedAsync();
        Assert.True(await world.ScalarAsync<long>("select fence from partitions order by fence desc limit 1") >= 2);
    }

    [Fact]
    public async Task Archivers_share_partitions_and_one_that_stops_hands_over_under_load()
    {
        await using var world = await World.CreateAsync(servers);
        var first = await world.StartArchiverAsync();
        await OwnsAsync(first, 64);
        using var load = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var publishing = PublishAsync(world, load.Token);

        var second = await world.StartArchiverAsync();
        await OwnsAsync(first, 32);
        await OwnsAsync(second, 32);
        await first.StopAsync(Token);
        Assert.DoesNotContain(Owned(first).All, partition => partition.Trim is not null);
        var handedOver = TimeProvider.System.GetTimestamp();
        await OwnsAsync(second, 64);
        var handover = TimeProvider.System.GetElapsedTime(handedOver);

        await load.CancelAsync();
        await publishing;
        await world.AssertArchivedOnceAsync();
        Assert.True(handover < TimeSpan.FromSeconds(2), $"A graceful handover took {handover}.");
        Assert.Equal(1, await world.ScalarAsync<long>("select count(*) from archivers"));
    }

    [Fact]
    public async Task Archiver_takes_over_from_a_dead_owner_when_its_lease_ends()
    {
        await using var world = await World.CreateAsync(servers);
        await world.Schema.MigrateAsync(Token);
        await world.Leases("dead", seconds: 1).ClaimAsync(64, Token);
        await world.AppendAsync("s", 20);

        var archiver = await world.StartArchiverAsync();

        await world.AssertArchivedOnceAsync();
        await OwnsAsync(archiver, 64);
        Assert.Equal(64, await world.ScalarAsync<long>("select count(*) from partitions where fence = 2"));
    }

    [Fact]
    public async Task Archiver_killed_again_and_again_under_load_loses_and_doubles_nothing()
    {
        await using var world = await World.CreateAsync(servers);
        using var load = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var publishing = PublishAsync(world, load.Token);
        string[] arguments = world.Arguments("--Archiver:LeaseDuration=00:00:01", "--Archiver:LeaseRenewal=00:00:00.300", "--Archiver:MaxBatchEvents=200");
        for (var kill = 0; kill < 3; kill++)
        {
            using var process = new ArchiverProcess(arguments);
            var before = await world.CountAsync();
            var enough = Random.Shared.Next(1, 2000);
            await Eventually.TrueAsync(async () => await world.CountAsync() >= before + enough, World.Deadline, $"{enough} more are archived", Token);
        }

        await load.CancelAsync();
        await publishing;
        await world.StartArchiverAsync();
        await world.AssertArchivedOnceAsync();
        await world.AssertTrimmedAsync();
    }

    [Fact]
    public async Task Archiver_outlives_postgres_killed_under_load()
    {
        await using var postgres = await PostgresProcess.StartAsync(cancellationToken: Token);
        await using var world = await World.CreateAsync(postgres);
        var archiver = await world.StartArchiverAsync();
        using var load = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var publishing = PublishAsync(world, load.Token);
        await Eventually.TrueAsync(async () => await world.CountAsync() > 500, World.Deadline, "events are archived", Token);

        postgres.Kill();
        using var http = new HttpClient { BaseAddress = new Uri(archiver.Urls.First()) };
        await Eventually.TrueAsync(
            async () => (await http.GetStringAsync("/health", Token)).Contains("\"status\":\"degraded\"", StringComparison.Ordinal),
            World.Deadline,
            "the archiver is degraded",
            Token);
        await postgres.StartAsync(Token);
        var before = await world.CountAsync();
        await Eventually.TrueAsync(async () => await world.CountAsync() > before, World.Deadline, "archiving goes on", Token);

        await load.CancelAsync();
        await publishing;
        await world.AssertArchivedOnceAsync();
        await world.AssertTrimmedAsync();
    }

    [Fact]
    public async Task Archiver_reads_an_old_snapshot_of_redis_again_without_doubling_anything()
    {
        await using var world = await World.CreateAsync(servers);
        for (var number = 0; number < 10; number++)
        {
            await world.AppendAsync($"s{number}", 30);
        }

        Assert.Equal("+OK", await world.Redis.SendAsync("SAVE", Token));
        var archiver = await world.StartArchiverAsync();
        await world.AssertArchivedOnceAsync();
        for (var number = 0; number < 10; number++)
        {
            await world.AppendAsync($"s{number}", 20);
        }

        await world.AssertArchivedOnceAsync();
        await world.AssertTrimmedAsync();

        world.Redis.Kill();
        await world.Redis.StartAsync(Token);
        for (var number = 0; number < 10; number++)
        {
            await world.AppendPatientlyAsync($"s{number}", 7);
        }

        await world.AssertArchivedOnceAsync();
        await world.AssertTrimmedAsync();
        Assert.Equal(10 * 57, await world.CountAsync());
        Assert.Equal(2, (await world.ReadAllAsync("s3")).Select(item => item.Position.Epoch).Distinct().Count());
        Assert.Equal(world.Acknowledged, archiver.Services.GetRequiredService<ArchiverMetrics>().Archived);
    }

    [Fact]
    public async Task Archiver_goes_on_after_redis_came_back_empty()
    {
        await using var world = await World.CreateAsync(servers);
        await world.StartArchiverAsync();
        await world.AppendAsync("s", 10);
        await world.AssertArchivedOnceAsync();

        await world.Redis.RestartAsync(wipe: true, Token);
        await world.AppendPatientlyAsync("s", 10);

        await world.AssertArchivedOnceAsync();
        var events = await world.ReadAllAsync("s");
        Assert.Equal(20, events[^1].Position.Sequence);
        Assert.Equal(events[9].Position, events[10].Previous);
    }

    [Fact]
    public async Task Archiver_stopping_archives_what_it_holds_and_releases_its_partitions()
    {
        await using var world = await World.CreateAsync(servers);
        var archiver = await world.StartArchiverAsync();
        await OwnsAsync(archiver, 64);
        await world.AppendAsync("s", 1000);
        await world.AppendAsync("s", 1000);

        await archiver.StopAsync(Token);

        Assert.Equal(0, await world.ScalarAsync<long>("select count(*) from partitions where owner is not null"));
        Assert.Equal(0, await world.ScalarAsync<long>("select count(*) from archivers"));
        var partition = StreamName.PartitionOf("s");
        var left = await world.Reader.ReadArchiveLogAsync(partition, StreamPosition.Zero, 1000, Token);
        Assert.Equal(2000, await world.CountAsync() + left.Sum(entry => entry.Batch.Count));
    }

    [Fact]
    public async Task Archiver_deletes_what_was_deleted()
    {
        await using var world = await World.CreateAsync(servers);
        await world.StartArchiverAsync();
        await world.AppendAsync("kept", 10);
        await world.AssertArchivedOnceAsync();
        await world.Log.AppendAsync(new AppendRequest { Stream = "gone", Events = [TestEvents.Append("a"), TestEvents.Append("b")] }, Token);
        await Eventually.TrueAsync(async () => await world.CountAsync() == 12, World.Deadline, "all is archived", Token);

        Assert.True(await world.Log.DeleteAsync("gone", fromArchive: true, Token));
        Assert.True(await world.Log.DeleteAsync("kept", fromArchive: false, Token));

        await Eventually.TrueAsync(async () => await world.CountAsync() == 10, World.Deadline, "the stream is gone from the archive", Token);
        Assert.Null(await world.Archive.ReadStreamAsync("gone", Token));
        await Eventually.TrueAsync(
            async () => (await world.Archive.ReadStreamAsync("kept", Token))?.DeletedAt is not null, World.Deadline, "the other is marked", Token);
        await world.AppendAsync("gone", 3);
        await world.AssertArchivedOnceAsync();
        await world.AssertTrimmedAsync();
    }

    [Fact]
    public async Task Archiver_passes_over_no_entry_that_it_cannot_read_and_waits_with_that_partition_alone()
    {
        await using var world = await World.CreateAsync(servers);
        await world.AppendAsync("s", 5);
        var partition = StreamName.PartitionOf("s");
        var other = Enumerable.Range(0, 100).Select(number => $"o{number}").First(name => StreamName.PartitionOf(name) != partition);
        var id = (string)(await world.RedisDatabase.ExecuteAsync("XADD", StreamKeys.Archive(partition), "*", "k", "z"))!;
        await world.StartArchiverAsync();
        await world.AppendAsync(other, 5);
        await Eventually.TrueAsync(async () => await world.CountAsync() == 5, World.Deadline, "the other partition is archived", Token);
        Assert.Empty(await world.ReadAllAsync("s"));

        await world.RedisDatabase.ExecuteAsync("XDEL", StreamKeys.Archive(partition), id);

        await world.AssertArchivedOnceAsync();
    }

    [Fact]
    public async Task Archiver_drains_a_backlog_with_flat_memory()
    {
        const int Events = 200_000;
        await using var world = await World.CreateAsync(servers);
        var attempts = Enumerable.Range(0, Events / 1000).Select(number => world.Log.AppendAsync(
            new AppendRequest { Stream = $"big-{number % 20}", Events = [.. Enumerable.Range(0, 1000).Select(index => TestEvents.Append($"{number}.{index}"))] }, Token));
        foreach (var attempt in attempts)
        {
            Assert.Equal(1000, (await attempt).Accepted);
        }

        GC.Collect();
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var start = TimeProvider.System.GetTimestamp();
        var archiver = await world.StartArchiverAsync();
        var metrics = archiver.Services.GetRequiredService<ArchiverMetrics>();
        var peak = 0L;
        await Eventually.TrueAsync(
            () =>
            {
                peak = Math.Max(peak, GC.GetTotalMemory(forceFullCollection: false) - before);
                return metrics.Archived == Events;
            },
            World.Deadline,
            "the backlog is archived",
            Token);
        TestContext.Current.TestOutputHelper!.WriteLine(
            $"{Events / TimeProvider.System.GetElapsedTime(start).TotalSeconds:0} events/s, {peak >> 20} MiB above the start at most");

        Assert.Equal(Events, await world.CountAsync());
        Assert.Equal(20, await world.ScalarAsync<long>($"select count(*) from streams where count = {Events / 20}"));
        await world.AssertTrimmedAsync();
        Assert.InRange(peak, 0, 160L << 20);
    }

    [Fact]
    public async Task Archiver_keeps_days_ahead_and_drops_those_past_their_retention()
    {
        await using var world = await World.CreateAsync(servers);
        await world.Schema.MigrateAsync(Token);
        var today = DateOnly.FromDateTime(TimeProvider.System.GetUtcNow().UtcDateTime);
        await world.Days.EnsureAsync([today.AddDays(-40), today.AddDays(-30)], Token);

        await world.StartArchiverAsync("--Archiver:RetentionDays=30");

        await Eventually.TrueAsync(
            async () => (await world.Days.ListAsync(Token)).SequenceEqual(new[] { -30, 0, 1, 2, 3 }.Select(today.AddDays)),
            World.Deadline,
            "today, three days ahead and the last kept day are there, and no other",
            Token);
    }

    private static OwnedPartitions Owned(WebApplication archiver) => archiver.Services.GetRequiredService<OwnedPartitions>();

    private static Task OwnsAsync(WebApplication archiver, int partitions) => Eventually.TrueAsync(
        () => Owned(archiver).All.Count == partitions, World.Deadline, $"the archiver owns {partitions} partitions", Token);

    private static async Task PublishAsync(World world, CancellationToken stop)
    {
        for (var round = 0; !stop.IsCancellationRequested; round++)
        {
            await Task.WhenAll(Enumerable.Range(0, 20).Select(number => world.AppendPatientlyAsync($"load-{(round * 7 % 50) + number}", 1 + (round % 9))));
        }
    }

    private static async Task CommitWithoutTrimmingAsync(World world, string stream)
    {
        var partition = StreamName.PartitionOf(stream);
        var leases = world.Leases("predecessor");
        var lease = (await leases.ClaimAsync(64, Token)).Single(claim => claim.Lease.Partition == partition).Lease;
        var batch = new ArchiveBatch();
        foreach (var entry in await world.Reader.ReadArchiveLogAsync(partition, StreamPosition.Zero, 1000, Token))
        {
            batch.TryAdd(lease, entry);
        }

        await using var writer = world.Writer("predecessor");
        Assert.Equal(ArchivePath.Direct, (await writer.CommitAsync(batch, Token)).Path);
        await leases.LeaveAsync(Token);
    }

    /// <summary>Streams of which Redis does not know that they are archived.</summary>
    private static async Task<List<string>> LeftOversAsync(World world)
    {
        var names = new List<string>();
        for (var number = 0; number < 40; number++)
        {
            var meta = await world.Reader.ReadMetaAsync($"run-{number}", Token);
            if (meta!.Last != meta.Archived)
            {
                names.Add($"run-{number}");
            }
        }

        return names;
    }
}
