using System.Text;
using AspireStreaming.Archive.Writing;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;

namespace AspireStreaming.EventArchiver.Tests;

/// <summary>The transaction alone, without Redis: what an archiver commits, and a test can commit at the moment it chooses.</summary>
public sealed class ArchiveWriterTests(Servers servers)
{
    private const string Stream = "s";

    private static readonly long Noon = new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero).ToUnixTimeMilliseconds();
    private static readonly int Partition = StreamName.PartitionOf(Stream);

    private static CancellationToken Token => World.Token;

    [Fact]
    public async Task CommitAsync_then_reading_gives_back_every_frame_unchanged()
    {
        const int Seed = 4711;
        const int Count = 3000;
        TestContext.Current.TestOutputHelper!.WriteLine($"seed {Seed}");
        await using var world = await StartAsync();
        var random = new RandomFrames(Seed);
        var frames = Enumerable.Range(0, Count).Select(_ => random.Next()).ToArray();
        var lease = await ClaimAsync(world);
        var batch = new ArchiveBatch();
        batch.TryAdd(lease, TestEvents.Entry(new(5, 1), Stream, new(100, 1), Noon, new(50, 9), frames));
        await using var writer = world.Writer("a");

        var result = await writer.CommitAsync(batch, Token);

        Assert.Equal((ArchivePath.Direct, Count, 0), (result.Path, (int)result.Inserted, result.Dead.Count));
        var archived = await world.ReadAllAsync(Stream);
        Assert.Equal(Count, archived.Length);
        for (var index = 0; index < Count; index++)
        {
            Assert.True(frames[index].Bytes.Span.SequenceEqual(archived[index].Frame.Bytes.Span), $"frame {index}");
            Assert.Equal(new StoredEvent(new(100, index + 1), Noon, archived[index].Frame, index == 0 ? new StreamPosition(50, 9) : null), archived[index]);
        }

        // The view for humans must take everything too.
        Assert.Equal(Count, await world.ScalarAsync<long>("select count(data) + count(*) filter (where data is null) from events_text"));
    }

    [Fact]
    public async Task CommitAsync_of_a_stale_owner_changes_nothing()
    {
        await using var world = await StartAsync();
        var stale = await ClaimAsync(world);
        await world.ExecuteAsync("update partitions set lease_until = '-infinity'");
        var current = (await world.Leases("b").ClaimAsync(64, Token)).Single(claim => claim.Lease.Partition == Partition);
        Assert.True(current.TakenOver);
        await using var writer = world.Writer("a");

        var result = await writer.CommitAsync(Batch(stale, new(5, 1), new(100, 1), 3), Token);

        Assert.Equal([Partition], result.Lost);
        Assert.Equal(0, await world.CountAsync());
        Assert.Null(await world.Archive.ReadStreamAsync(Stream, Token));
        Assert.Equal(StreamPosition.Zero, await world.Archive.ReadWatermarkAsync(Partition, Token));

        await using var next = world.Writer("b");
        Assert.Empty((await next.CommitAsync(Batch(current.Lease, new(5, 1), new(100, 1), 3), Token)).Lost);
        Assert.Equal(new StreamPosition(5, 1), await world.Archive.ReadWatermarkAsync(Partition, Token));
    }

    [Fact]
    public async Task CommitAsync_of_what_is_there_already_goes_through_staging_and_changes_nothing()
    {
        await using var world = await StartAsync();
        var lease = await ClaimAsync(world);
        await using var writer = world.Writer("a");
        await writer.CommitAsync(Batch(lease, new(5, 1), new(100, 1), 10), Token);

        // Same ids: the lost answer of a commit. Other ids: healing put the same events into a new log, with more behind them.
        var again = await writer.CommitAsync(Batch(lease, new(5, 1), new(100, 1), 10), Token);
        var healed = await writer.CommitAsync(Batch(lease with { Watermark = new(5, 1) }, new(6, 1), new(100, 1), 12), Token);
        var old = await writer.CommitAsync(Batch(lease with { Watermark = new(6, 1) }, new(5, 1), new(100, 1), 10), Token);

        Assert.Equal((ArchivePath.Staged, 0L), (again.Path, again.Inserted));
        Assert.Equal((ArchivePath.Staged, 2L), (healed.Path, healed.Inserted));
        Assert.Equal((ArchivePath.Staged, 0L), (old.Path, old.Inserted));
        Assert.Equal(12, await world.CountAsync());
        Assert.Equal(12, (await world.Archive.ReadStreamAsync(Stream, Token))!.Count);
        Assert.Equal(new StreamPosition(6, 1), await world.Archive.ReadWatermarkAsync(Partition, Token));
    }

    [Fact]
    public async Task CommitAsync_keeps_rows_that_the_table_refuses_in_dead_events()
    {
        await using var world = await StartAsync();
        await world.ExecuteAsync("alter table events add constraint no_poison check (type <> 'POISON')");
        var frames = Enumerable.Range(0, 200)
            .Select(index => index is 0 or 77 or 78 or 199 ? TestEvents.Frame($"e{index}", "POISON", EventFlags.Critical) : TestEvents.Frame($"e{index}"))
            .ToArray();
        var lease = await ClaimAsync(world);
        var batch = new ArchiveBatch();
        batch.TryAdd(lease, TestEvents.Entry(new(5, 1), Stream, new(100, 1), Noon, null, frames));
        await using var writer = world.Writer("a");

        var result = await writer.CommitAsync(batch, Token);
        batch.Clear();
        batch.TryAdd(lease, TestEvents.Entry(new(5, 1), Stream, new(100, 1), Noon, null, frames));
        await writer.CommitAsync(batch, Token);

        Assert.Equal(ArchivePath.Careful, result.Path);
        Assert.Equal(196, result.Inserted);
        Assert.Equal([1L, 78L, 79L, 200L], result.Dead.Select(dead => dead.Position.Sequence));
        Assert.All(result.Dead, dead => Assert.Equal(("23514", EventFlags.Critical), (dead.SqlState, dead.Flags)));
        Assert.Equal([1L, 78L, 79L, 200L], (await world.Archive.ReadDeadAsync(Stream, StreamPosition.Zero, new(100, 200), 10, Token)).Select(item => item.Sequence));
        var stream = await world.Archive.ReadStreamAsync(Stream, Token);
        Assert.Equal((196L, new StreamPosition(100, 200)), (stream!.Count, stream.Last));
        Assert.Equal(196, await world.CountAsync());
        Assert.Equal(new StreamPosition(5, 1), await world.Archive.ReadWatermarkAsync(Partition, Token));
        Assert.Equal(
            Encoding.UTF8.GetString(frames[77].Bytes.Span),
            Encoding.UTF8.GetString(await world.ScalarAsync<byte[]>("select frame from dead_events where seq = 78")));
    }

    [Fact]
    public async Task CommitAsync_keeps_damaged_frames_in_dead_events()
    {
        await using var world = await StartAsync();
        var good = TestEvents.Frame("e1").Bytes.ToArray();
        byte[] bytes = [.. good, 200, 0, 0, 0, 1, 0, 0, 0, 1];
        var batch = new ArchiveBatch();
        batch.TryAdd(
            await ClaimAsync(world),
            new ArchiveLogEntry(new(5, 1), ArchiveLogKind.Append, Stream, new LogBatch(new(100, 1), Noon, null, 3, bytes), false, 400));
        await using var writer = world.Writer("a");

        var result = await writer.CommitAsync(batch, Token);

        Assert.Equal([2L, 3L], result.Dead.Select(dead => dead.Position.Sequence));
        Assert.Single(await world.ReadAllAsync(Stream));
        Assert.Equal(new StreamPosition(100, 3), (await world.Archive.ReadStreamAsync(Stream, Token))!.Last);
        Assert.Equal(9, await world.ScalarAsync<int>("select length(frame) from dead_events where seq = 2"));
    }

    [Fact]
    public async Task CommitAsync_makes_the_days_that_a_batch_needs()
    {
        await using var world = await StartAsync();
        var midnight = new DateTimeOffset(2026, 3, 2, 0, 0, 0, TimeSpan.Zero).ToUnixTimeMilliseconds();
        var old = new DateTimeOffset(1969, 12, 31, 23, 59, 59, TimeSpan.Zero).ToUnixTimeMilliseconds();
        var lease = await ClaimAsync(world);
        var batch = new ArchiveBatch();
        batch.TryAdd(lease, TestEvents.Entry(new(5, 1), Stream, new(100, 1), old, null, TestEvents.Frame("e1")));
        batch.TryAdd(lease, TestEvents.Entry(new(5, 2), Stream, new(100, 2), midnight - 1, null, TestEvents.Frame("e2")));
        batch.TryAdd(lease, TestEvents.Entry(new(5, 3), Stream, new(100, 3), midnight, null, TestEvents.Frame("e3")));
        await using var writer = world.Writer("a");

        await writer.CommitAsync(batch, Token);

        Assert.Equal([new DateOnly(1969, 12, 31), new DateOnly(2026, 3, 1), new DateOnly(2026, 3, 2)], await world.Days.ListAsync(Token));
        Assert.Equal([old, midnight - 1, midnight], (await world.ReadAllAsync(Stream)).Select(item => item.RecordedAt));
        Assert.Equal(3, (await world.Archive.ReadStreamAsync(Stream, Token))!.Count);

        // A partition that went meanwhile is made again, and no row dies of it.
        await world.ExecuteAsync("drop table events_20260302");
        batch.Clear();
        batch.TryAdd(lease, TestEvents.Entry(new(5, 4), Stream, new(100, 3), midnight, null, TestEvents.Frame("e3"), TestEvents.Frame("e4")));
        var result = await writer.CommitAsync(batch, Token);
        Assert.Equal((2L, 0), (result.Inserted, result.Dead.Count));
    }

    [Fact]
    public async Task CommitAsync_of_a_delete_removes_the_stream_up_to_its_position()
    {
        await using var world = await StartAsync();
        var lease = await ClaimAsync(world);
        await using var writer = world.Writer("a");
        await writer.CommitAsync(Batch(lease, new(5, 1), new(100, 1), 5), Token);
        var batch = new ArchiveBatch();
        Assert.True(batch.TryAdd(lease, TestEvents.Entry(new(5, 2), Stream, new(100, 6), Noon, null, TestEvents.Frame("e6", "WORKFLOW_FAILED", EventFlags.Terminal))));
        Assert.True(batch.TryAdd(lease, TestEvents.Delete(new(5, 3), Stream, new(100, 6), Noon, fromArchive: true)));
        var reborn = TestEvents.Entry(new(5, 4), Stream, new(101, 1), Noon + 1, null, TestEvents.Frame("e7"));
        Assert.False(batch.TryAdd(lease, reborn));

        await writer.CommitAsync(batch, Token);
        Assert.Null(await world.Archive.ReadStreamAsync(Stream, Token));
        Assert.Equal(0, await world.CountAsync());

        batch.Clear();
        Assert.True(batch.TryAdd(lease, reborn));
        await writer.CommitAsync(batch, Token);

        // All of it again, as after a kill before the log was trimmed.
        batch.Clear();
        batch.TryAdd(lease with { Watermark = new(5, 4) }, TestEvents.Entry(new(5, 1), Stream, new(100, 1), Noon, null, TestEvents.Frame("e1")));
        batch.TryAdd(lease with { Watermark = new(5, 4) }, TestEvents.Delete(new(5, 3), Stream, new(100, 6), Noon, fromArchive: true));
        await writer.CommitAsync(batch, Token);
        var stream = await world.Archive.ReadStreamAsync(Stream, Token);
        Assert.Equal((new StreamPosition(101, 1), new StreamPosition(101, 1), 1L), (stream!.First, stream.Last, stream.Count));
        Assert.Single(await world.ReadAllAsync(Stream));
    }

    [Fact]
    public async Task CommitAsync_of_a_delete_that_keeps_the_archive_marks_the_stream_until_it_begins_anew()
    {
        await using var world = await StartAsync();
        var lease = await ClaimAsync(world);
        await using var writer = world.Writer("a");
        var batch = new ArchiveBatch();
        batch.TryAdd(lease, TestEvents.Entry(new(5, 1), Stream, new(100, 1), Noon, null, TestEvents.Frame("e1", "WORKFLOW_COMPLETED", EventFlags.Terminal)));
        batch.TryAdd(lease, TestEvents.Delete(new(5, 2), Stream, new(100, 1), Noon, fromArchive: false));
        await writer.CommitAsync(batch, Token);

        var deleted = await world.Archive.ReadStreamAsync(Stream, Token);
        Assert.Equal((1L, "completed", "WORKFLOW_COMPLETED"), (deleted!.Count, deleted.EndState, deleted.EndType));
        Assert.NotNull(deleted.DeletedAt);
        Assert.Null((await world.Archive.LookUpAsync(Stream, [], Token)).EndState);

        await writer.CommitAsync(Batch(lease, new(5, 3), new(101, 1), 2), Token);
        var anew = await world.Archive.ReadStreamAsync(Stream, Token);
        Assert.Equal((3L, null, null), (anew!.Count, anew.EndState, anew.DeletedAt));
    }

    [Fact]
    public async Task DropBeforeAsync_drops_days_and_what_the_streams_table_says_of_them()
    {
        await using var world = await StartAsync();
        var lease = await ClaimAsync(world);
        await using var writer = world.Writer("a");
        var batch = new ArchiveBatch();
        var day = TimeSpan.MillisecondsPerDay;
        var other = Enumerable.Range(0, 1000).Select(number => $"o{number}").First(name => StreamName.PartitionOf(name) == Partition);
        batch.TryAdd(lease, TestEvents.Entry(new(5, 1), Stream, new(100, 1), Noon, null, TestEvents.Frame("e1"), TestEvents.Frame("e2")));
        batch.TryAdd(lease, TestEvents.Entry(new(5, 2), Stream, new(100, 3), Noon + day, null, TestEvents.Frame("e3")));
        batch.TryAdd(lease, TestEvents.Entry(new(5, 3), Stream, new(100, 4), Noon + (2 * day), null, TestEvents.Frame("e4")));
        batch.TryAdd(lease, TestEvents.Entry(new(5, 4), other, new(100, 1), Noon, null, TestEvents.Frame("e1")));
        await writer.CommitAsync(batch, Token);

        Assert.Equal(2, await world.Days.DropBeforeAsync(new DateOnly(2026, 3, 3), Token));

        Assert.Equal([new DateOnly(2026, 3, 3)], await world.Days.ListAsync(Token));
        Assert.Null(await world.Archive.ReadStreamAsync(other, Token));
        var stream = await world.Archive.ReadStreamAsync(Stream, Token);
        Assert.Equal((new StreamPosition(100, 4), new StreamPosition(100, 4), 1L), (stream!.First, stream.Last, stream.Count));
        Assert.Equal([4L], (await world.ReadAllAsync(Stream)).Select(item => item.Position.Sequence));
    }

    private static ArchiveBatch Batch(PartitionLease lease, StreamPosition id, StreamPosition first, int count)
    {
        var batch = new ArchiveBatch();
        batch.TryAdd(lease, TestEvents.Entry(
            id, Stream, first, Noon, null, [.. Enumerable.Range(0, count).Select(index => TestEvents.Frame($"e{first.Sequence + index}"))]));
        return batch;
    }

    private static async Task<PartitionLease> ClaimAsync(World world) =>
        (await world.Leases("a").ClaimAsync(64, Token)).Single(claim => claim.Lease.Partition == Partition).Lease;

    private async Task<World> StartAsync()
    {
        var world = await World.CreateAsync(servers);
        await world.Schema.MigrateAsync(Token);
        return world;
    }
}
