using AspireStreaming.EventArchiver.Archiving;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;
using AspireStreaming.TestSupport;
using Microsoft.Extensions.DependencyInjection;

namespace AspireStreaming.EventArchiver.Tests;

/// <summary>The whole service on real servers, with nothing going wrong.</summary>
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
    public async Task Archiver_whose_watermark_is_ahead_of_the_log_archives_everything_all_the_same()
    {
        await using var world = await World.CreateAsync(servers);
        await world.Schema.MigrateAsync(Token);
        await world.ExecuteAsync("update partitions set watermark_epoch = 9000000000000000");
        await world.AppendAsync("s", 100);
        await world.StartArchiverAsync();
        await world.AssertArchivedOnceAsync();
        await world.AppendAsync("s", 100);
        await world.AssertArchivedOnceAsync();
        await world.AssertTrimmedAsync();
    }

    [Fact]
    public async Task Archivers_share_partitions_and_one_that_stops_hands_over_under_load()
    {
        await using var world = await World.CreateAsync(servers);
        var first = await world.StartArchiverAsync();
        await World.OwnsAsync(first, 64);
        using var load = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var publishing = world.PublishAsync(load.Token);

        var second = await world.StartArchiverAsync();
        await World.OwnsAsync(first, 32);
        await World.OwnsAsync(second, 32);
        await first.StopAsync(Token);
        Assert.DoesNotContain(World.Owned(first).All, partition => partition.Trim is not null);
        var handedOver = TimeProvider.System.GetTimestamp();
        await World.OwnsAsync(second, 64);
        var handover = TimeProvider.System.GetElapsedTime(handedOver);

        await load.CancelAsync();
        await publishing;
        await world.AssertArchivedOnceAsync();
        Assert.True(handover < TimeSpan.FromSeconds(2), $"A graceful handover took {handover}.");
        Assert.Equal(1, await world.ScalarAsync<long>("select count(*) from archivers"));
    }

    [Fact]
    public async Task Archiver_stopping_archives_what_it_holds_and_releases_its_partitions()
    {
        await using var world = await World.CreateAsync(servers);
        var archiver = await world.StartArchiverAsync();
        await World.OwnsAsync(archiver, 64);
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
