using AspireStreaming.Archive.Writing;
using AspireStreaming.EventArchiver.Archiving;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;
using AspireStreaming.TestSupport;
using Microsoft.Extensions.DependencyInjection;

namespace AspireStreaming.EventArchiver.Tests;

/// <summary>Every event that was acknowledged is in the archive exactly once, whatever happens.</summary>
public sealed class ArchiverFaultTests(Servers servers)
{
    private static CancellationToken Token => World.Token;

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
    public async Task Archiver_takes_over_from_a_dead_owner_when_its_lease_ends()
    {
        await using var world = await World.CreateAsync(servers);
        await world.Schema.MigrateAsync(Token);
        await world.Leases("dead", seconds: 1).ClaimAsync(64, Token);
        await world.AppendAsync("s", 20);

        var archiver = await world.StartArchiverAsync();

        await world.AssertArchivedOnceAsync();
        await World.OwnsAsync(archiver, 64);
        Assert.Equal(64, await world.ScalarAsync<long>("select count(*) from partitions where fence = 2"));
    }

    [Fact]
    public async Task Archiver_killed_again_and_again_under_load_loses_and_doubles_nothing()
    {
        await using var world = await World.CreateAsync(servers);
        using var load = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var publishing = world.PublishAsync(load.Token);
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
        var publishing = world.PublishAsync(load.Token);
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
    public async Task Archiver_starts_without_redis_and_goes_on_after_it_came_back_empty()
    {
        await using var world = await World.CreateAsync(servers);
        await world.Redis.StopAsync(Token);
        await world.StartArchiverAsync();
        await world.Redis.StartAsync(Token);
        await world.AppendPatientlyAsync("s", 10);
        await world.AssertArchivedOnceAsync();

        await world.Redis.RestartAsync(wipe: true, Token);
        await world.AppendPatientlyAsync("s", 10);

        await world.AssertArchivedOnceAsync();
        var events = await world.ReadAllAsync("s");
        Assert.Equal(20, events[^1].Position.Sequence);
        Assert.Equal(events[9].Position, events[10].Previous);
    }

    [Fact]
    public async Task Archiver_passes_over_no_entry_that_it_cannot_read_and_waits_with_that_partition_alone()
    {
        await using var world = await World.CreateAsync(servers);
        await world.AppendAsync("s", 5);
        var partition = StreamName.PartitionOf("s");
        var other = Enumerable.Range(0, 100).Select(number => $"o{number}").First(name => StreamName.PartitionOf(name) != partition);
        var id = (string)(await world.RedisDatabase.ExecuteAsync("XADD", StreamKeys.Archive(partition), "*", "h", "z s"))!;
        await world.StartArchiverAsync();
        await world.AppendAsync(other, 5);
        await Eventually.TrueAsync(async () => await world.CountAsync() == 5, World.Deadline, "the other partition is archived", Token);
        Assert.Empty(await world.ReadAllAsync("s"));

        await world.RedisDatabase.ExecuteAsync("XDEL", StreamKeys.Archive(partition), id);

        await world.AssertArchivedOnceAsync();
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
}
