using AspireStreaming.Archive.Writing;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;

namespace AspireStreaming.EventArchiver.Tests;

public sealed class ArchiveReaderTests(Servers servers)
{
    private const string Stream = "s";

    private static readonly long Start = new DateTimeOffset(2026, 3, 1, 22, 0, 0, TimeSpan.Zero).ToUnixTimeMilliseconds();

    private static CancellationToken Token => World.Token;

    [Fact]
    public async Task Reading_without_a_schema_finds_an_empty_archive()
    {
        await using var world = await World.CreateAsync(servers);

        Assert.Empty(await world.Archive.ReadAfterAsync(Stream, StreamPosition.Zero, 10, Token));
        Assert.Empty(await world.Archive.ReadBeforeAsync(Stream, null, 10, Token));
        Assert.Null(await world.Archive.ReadStreamAsync(Stream, Token));
        Assert.Empty(await world.Archive.ListStreamsAsync(10, null, Token));
        Assert.Null(await world.Archive.FindByTimeAsync(Stream, DateTimeOffset.UnixEpoch, Token));
        Assert.Equal(StreamPosition.Zero, await world.Archive.ReadWatermarkAsync(1, Token));
        Assert.Empty(await world.Archive.ReadDeadAsync(Stream, StreamPosition.Zero, new(1, 1), 10, Token));
        Assert.True((await world.Archive.LookUpAsync(Stream, [TestEvents.Append("a")], Token)).Last.IsZero);
    }

    [Fact]
    public async Task MigrateAsync_by_several_at_once_applies_each_file_once()
    {
        await using var world = await World.CreateAsync(servers);

        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => world.Schema.MigrateAsync(Token)));
        await world.Schema.MigrateAsync(Token);

        Assert.Equal(
            await world.ScalarAsync<long>("select max(number)::bigint from schema_migrations"),
            await world.ScalarAsync<long>("select count(*) from schema_migrations"));
        Assert.Equal(64, await world.ScalarAsync<long>("select count(*) from partitions"));
    }

    [Fact]
    public async Task Pages_go_up_and_down_across_epochs_and_days()
    {
        await using var world = await World.CreateAsync(servers);
        var all = await FillAsync(world);

        foreach (var size in (int[])[1, 7, 1000])
        {
            var up = new List<StreamPosition>();
            for (StreamPosition? cursor = StreamPosition.Zero; cursor is { } after;)
            {
                var page = await world.Archive.ReadAfterAsync(Stream, after, size, Token);
                up.AddRange(page.Select(item => item.Position));
                cursor = page.Length == 0 ? null : page[^1].Position;
            }

            Assert.Equal(all.Select(item => item.Position), up);
        }

        var down = new List<StreamPosition>();
        var before = (StreamPosition?)null;
        do
        {
            var page = await world.Archive.ReadBeforeAsync(Stream, before, 7, Token);
            down.AddRange(page.Select(item => item.Position));
            before = page.Length == 0 ? null : page[^1].Position;
        }
        while (before is not null);

        down.Reverse();
        Assert.Equal(all.Select(item => item.Position), down);

        // From a position that never existed, between two epochs.
        Assert.Equal(new StreamPosition(200, 21), (await world.Archive.ReadAfterAsync(Stream, new(150, 5), 1, Token))[0].Position);
        Assert.Equal(new StreamPosition(100, 20), (await world.Archive.ReadBeforeAsync(Stream, new(150, 5), 1, Token))[0].Position);
        Assert.Equal(new StreamPosition(100, 20), (await world.Archive.ReadAfterAsync(Stream, new(150, 5), 1, Token))[0].Previous);
    }

    [Fact]
    public async Task FindByTimeAsync_agrees_with_a_scan()
    {
        await using var world = await World.CreateAsync(servers);
        var all = await FillAsync(world);

        for (var time = Start - 1000; time < all[^1].RecordedAt + 2000; time += 7_300_000 / 16)
        {
            await CheckAsync(time);
        }

        foreach (var item in all)
        {
            await CheckAsync(item.RecordedAt);
            await CheckAsync(item.RecordedAt + 1);
        }

        Assert.Null(await world.Archive.FindByTimeAsync("unknown", DateTimeOffset.UnixEpoch, Token));

        async Task CheckAsync(long time)
        {
            var expected = all.Where(item => item.RecordedAt >= time).Select(item => (StreamPosition?)item.Position).FirstOrDefault();
            var found = await world.Archive.FindByTimeAsync(Stream, DateTimeOffset.FromUnixTimeMilliseconds(time), Token);
            Assert.Equal(expected is { } first ? first with { Sequence = first.Sequence - 1 } : (StreamPosition?)null, found);
        }
    }

    [Fact]
    public async Task LookUpAsync_tells_position_end_and_known_ids()
    {
        await using var world = await World.CreateAsync(servers);
        await FillAsync(world);
        await CommitAsync(world, new(9, 1), new(400, 1), Start + TimeSpan.MillisecondsPerDay * 3, null,
        [
            TestEvents.Frame("odd\\u0000\\\"id"), TestEvents.Frame("dup"), TestEvents.Frame("dup"), TestEvents.Frame("dup", source: "/other"),
            TestEvents.Frame("end", "WORKFLOW_CANCELLED", EventFlags.Terminal),
        ]);

        var knowledge = await world.Archive.LookUpAsync(
            Stream,
            [
                TestEvents.Append("e1"), TestEvents.Append("nowhere"), TestEvents.Append("dup"), TestEvents.Append("e40") with { IdGenerated = true },
                new AppendEvent("/t", "odd\0\"id", false, "T", EventFlags.None, []), new AppendEvent("/t", "odd\\0\"id", false, "T", EventFlags.None, []),
                new AppendEvent("/other", "dup", false, "T", EventFlags.None, []),
            ],
            Token);

        Assert.Equal((new StreamPosition(400, 5), "cancelled", "WORKFLOW_CANCELLED"), (knowledge.Last, knowledge.EndState, knowledge.EndType));
        Assert.Equal(
            [KeyValuePair.Create(0, new StreamPosition(100, 1)), KeyValuePair.Create(2, new StreamPosition(400, 2)), KeyValuePair.Create(4, new StreamPosition(400, 1)), KeyValuePair.Create(6, new StreamPosition(400, 4))],
            knowledge.Known);
    }

    [Fact]
    public async Task LookUpAsync_of_many_streams_at_once_answers_each_for_its_own()
    {
        await using var world = await World.CreateAsync(servers);
        await FillAsync(world);

        var answers = await Task.WhenAll(Enumerable.Range(0, 300).Select(number => world.Archive.LookUpAsync(
            number % 3 == 0 ? Stream : $"unknown-{number}",
            number % 2 == 0 ? [TestEvents.Append("nowhere"), TestEvents.Append($"e{1 + (number % 10)}")] : [],
            Token)));

        for (var number = 0; number < answers.Length; number++)
        {
            var known = number % 3 == 0 && number % 2 == 0
                ? [KeyValuePair.Create(1, new StreamPosition(100, 1 + (number % 10)))]
                : Array.Empty<KeyValuePair<int, StreamPosition>>();
            Assert.Equal(number % 3 == 0 ? answers[0].Last : StreamPosition.Zero, answers[number].Last);
            Assert.Equal(known, answers[number].Known);
        }

        Assert.NotEqual(StreamPosition.Zero, answers[0].Last);
    }

    [Fact]
    public async Task ListStreamsAsync_pages_by_last_activity_then_name()
    {
        await using var world = await World.CreateAsync(servers);
        await world.Schema.MigrateAsync(Token);
        var leases = (await world.Leases("a").ClaimAsync(64, Token)).ToDictionary(claim => claim.Lease.Partition, claim => claim.Lease);
        await using var writer = world.Writer("a");
        var batch = new ArchiveBatch();
        var expected = new List<(long Second, string Name)>();
        for (var number = 0; number < 25; number++)
        {
            var name = $"stream{number}";
            var second = number % 4;
            expected.Add((second, name));
            batch.TryAdd(
                leases[StreamName.PartitionOf(name)],
                TestEvents.Entry(new(5, number + 1), name, new(100, 1), Start + (second * 1000) + number, null, TestEvents.Frame("e")));
        }

        await writer.CommitAsync(batch, Token);

        var listed = new List<string>();
        (DateTimeOffset, string)? after = null;
        while (true)
        {
            var page = await world.Archive.ListStreamsAsync(4, after, Token);
            listed.AddRange(page.Select(stream => stream.Name));
            if (page.Count < 4)
            {
                break;
            }

            after = (page[^1].UpdatedAt, page[^1].Name);
        }

        Assert.Equal(expected.OrderByDescending(item => item.Second).ThenBy(item => item.Name, StringComparer.Ordinal).Select(item => item.Name), listed);
    }

    /// <summary>Three epochs over four days, with repeated times and holes.</summary>
    private static async Task<List<StoredEvent>> FillAsync(World world)
    {
        await world.Schema.MigrateAsync(Token);
        var all = new List<StoredEvent>();
        var sequence = 0;
        StreamPosition? previous = null;
        var entry = 0;
        foreach (var epoch in (long[])[100, 200, 300])
        {
            for (var round = 0; round < 4; round++)
            {
                // The third epoch's beginning is missing: its first five are a hole.
                sequence += epoch == 300 && round == 0 ? 5 : 0;
                var first = new StreamPosition(epoch, sequence + 1);
                var recorded = Start + (all.Count * 3_600_000L / 4);
                var frames = Enumerable.Range(0, 5).Select(index => TestEvents.Frame($"e{sequence + index + 1}")).ToArray();
                await CommitAsync(world, new(8, ++entry), first, recorded, previous, frames);
                all.AddRange(frames.Select((frame, index) => new StoredEvent(first with { Sequence = first.Sequence + index }, recorded, frame)));
                sequence += 5;
                previous = null;
            }

            previous = new StreamPosition(epoch, sequence);
        }

        return all;
    }

    private static async Task CommitAsync(
        World world, StreamPosition id, StreamPosition first, long recordedAt, StreamPosition? previous, EventFrame[] frames)
    {
        await world.ExecuteAsync("update partitions set owner = null");
        var lease = (await world.Leases("a").ClaimAsync(64, Token)).Single(claim => claim.Lease.Partition == StreamName.PartitionOf(Stream)).Lease;
        var batch = new ArchiveBatch();
        batch.TryAdd(lease, TestEvents.Entry(id, Stream, first, recordedAt, previous, frames));
        await using var writer = world.Writer("a");
        Assert.Empty((await writer.CommitAsync(batch, Token)).Lost);
    }
}
