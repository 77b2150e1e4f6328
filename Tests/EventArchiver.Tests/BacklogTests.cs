using System.Globalization;
using AspireStreaming.Archive;
using AspireStreaming.Streaming.Redis;
using AspireStreaming.TestSupport;
using AspireStreaming.TestSupport.Processes;

namespace AspireStreaming.EventArchiver.Tests;

/// <summary>A large backlog costs the archiver time and no memory: what it holds is bounded by its batches.</summary>
public sealed class BacklogTests(Servers servers)
{
    private const int Events = 1_000_000;
    private const int Streams = 100;
    private const int Batch = 1_000;
    private const int Publishers = 4;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(4);

    private static CancellationToken Token => World.Token;

    [Fact]
    public async Task Backlog_of_a_million_events_is_drained_with_flat_memory()
    {
        // No archiver runs, so the cap is far above what comes.
        await using var world = await World.CreateAsync(servers, new HotLogOptions { MaxArchiveBacklogBytes = 8L << 30 });
        var start = TimeProvider.System.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, Publishers).Select(publisher => PublishAsync(world, publisher)));
        var published = TimeProvider.System.GetElapsedTime(start);
        var backlog = await BacklogBytesAsync(world);
        await world.Schema.MigrateAsync(Token);

        start = TimeProvider.System.GetTimestamp();
        var memory = new MemoryRecord("archiver");
        using (var archiver = new ArchiverProcess(world.Arguments()))
        {
            await Eventually.TrueAsync(
                async () =>
                {
                    Assert.False(archiver.HasExited);
                    memory.Add(TimeProvider.System.GetElapsedTime(start), archiver.ResidentBytes);
                    return await BacklogBytesAsync(world) == 0;
                },
                Patience,
                "the backlog is archived and trimmed",
                Token);
        }

        var drained = TimeProvider.System.GetElapsedTime(start);
        TestContext.Current.TestOutputHelper!.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{Events} events, {backlog >> 20} MiB, published in {published.TotalSeconds:0.0} s, drained in {drained.TotalSeconds:0.0} s; {memory}"));
        Assert.True(backlog / 2 > memory.Allowed, "the backlog is too small to show in the archiver's memory");
        Assert.True(memory.IsFlat, memory.ToString());
        await AssertAuditAsync(world);
        await world.AssertTrimmedAsync();
    }

    private static async Task PublishAsync(World world, int publisher)
    {
        for (var batch = publisher; batch < Events / Batch; batch += Publishers)
        {
            var events = Enumerable.Range(0, Batch).Select(index => TestEvents.Append(string.Create(CultureInfo.InvariantCulture, $"{batch}.{index}")));
            var answer = await world.Log.AppendAsync(new AppendRequest { Stream = $"big-{batch % Streams}", Events = [.. events] }, Token);
            Assert.Equal((AppendStatus.Appended, Batch), (answer.Status, answer.Accepted));
        }
    }

    private static async Task<long> BacklogBytesAsync(World world)
    {
        var keys = Enumerable.Range(0, Streaming.Contracts.StreamName.PartitionCount).Select(partition => (StackExchange.Redis.RedisKey)StreamKeys.ArchiveBytes(partition));
        var bytes = await world.RedisDatabase.StringGetAsync([.. keys]);
        return bytes.Sum(value => value.TryParse(out long number) ? number : 0);
    }

    private static async Task AssertAuditAsync(World world)
    {
        using var audit = new ArchiveAudit(world.DataSource);
        var streams = await world.Archive.ListStreamsAsync(Streams + 1, null, Token);
        Assert.Equal(Streams, streams.Count);
        foreach (var stream in streams)
        {
            var found = await audit.AuditAsync(stream.Name, Token);
            Assert.True(found is { IsWell: true, Dead: 0, Events: Events / Streams }, $"{found}");
        }
    }
}
