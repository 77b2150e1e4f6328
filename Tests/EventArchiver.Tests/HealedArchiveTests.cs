using System.Buffers.Binary;
using System.Text;
using AspireStreaming.Archive;
using AspireStreaming.Archive.Writing;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;

namespace AspireStreaming.EventArchiver.Tests;

/// <summary>What healing writes into archive logs, and what the archive makes of it: each event once, no hole, nothing resurrected.</summary>
public sealed class HealedArchiveTests(Servers servers) : IAsyncLifetime
{
    private const string Stream = "s";

    private static readonly long Noon = new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero).ToUnixTimeMilliseconds();
    private static readonly int Partition = StreamName.PartitionOf(Stream);

    private World _world = null!;
    private ArchiveWriter _writer = null!;
    private PartitionLease _lease;
    private int _entries;

    private static CancellationToken Token => World.Token;

    public async ValueTask InitializeAsync()
    {
        _world = await World.CreateAsync(servers);
        await _world.Schema.MigrateAsync(Token);
        _lease = (await _world.Leases("a").ClaimAsync(64, Token)).Single(claim => claim.Lease.Partition == Partition).Lease;
        _writer = _world.Writer("a");
    }

    public async ValueTask DisposeAsync()
    {
        await _writer.DisposeAsync();
        await _world.DisposeAsync();
    }

    [Fact]
    public async Task Event_appended_again_whose_first_is_archived_becomes_an_alias()
    {
        await CommitAsync(Entry(new(100, 1), null, Frames(1, 3)));
        await CommitAsync(Entry(new(200, 4), new(100, 3), [Repeated("e2", new(100, 2)), TestEvents.Frame("e5")]));

        Assert.Equal([1L, 2, 3, 5], (await _world.ReadAllAsync(Stream)).Select(item => item.Position.Sequence));
        Assert.Single(await _world.Archive.ReadMovedAsync(Stream, new(100, 3), new(200, 4), 10, Token));
        var stream = await _world.Archive.ReadStreamAsync(Stream, Token);
        Assert.Equal((4L, new StreamPosition(200, 5)), (stream!.Count, stream.Last));
        await AssertWellAsync(events: 4);
    }

    [Fact]
    public async Task Event_appended_again_whose_first_was_lost_is_stored_where_it_is_now()
    {
        await CommitAsync(Entry(new(100, 1), null, Frames(1, 3)), Entry(new(100, 5), null, Frames(5, 1)));
        await CommitAsync(Entry(new(200, 6), new(100, 5), [Repeated("e4", new(100, 4))]));
        await CommitAsync(Entry(new(200, 7), null, [Repeated("e4", new(100, 4))]));

        var archived = await _world.ReadAllAsync(Stream);
        Assert.Equal([1L, 2, 3, 5, 6], archived.Select(item => item.Position.Sequence));
        Assert.Equal(new StreamPosition(100, 4), archived[^1].Frame.FirstPosition());
        await AssertWellAsync(events: 5);
    }

    [Fact]
    public async Task Same_log_again_changes_nothing()
    {
        await CommitAsync(Entry(new(100, 1), null, Frames(1, 2)));
        var again = Entry(new(200, 3), new(100, 2), [Repeated("e1", new(100, 1)), Repeated("lost", new(100, 9))]);
        await CommitAsync(again);
        await CommitAsync(again);

        Assert.Equal(["e1", "e2", "lost"], await IdsAsync());
        Assert.Equal(3, (await _world.Archive.ReadStreamAsync(Stream, Token))!.Count);
    }

    [Fact]
    public async Task Log_from_before_a_deletion_brings_nothing_back()
    {
        var before = Entry(new(100, 1), null, Frames(1, 3));
        await CommitAsync(before);
        await CommitAsync(TestEvents.Delete(Next(), Stream, new(100, 3), Noon, fromArchive: true));
        await CommitAsync(before);
        Assert.Equal(0, await _world.CountAsync());
        Assert.Null(await _world.Archive.ReadStreamAsync(Stream, Token));

        await CommitAsync(before with { Id = Next() }, Entry(new(300, 1), null, Frames(7, 2)));

        Assert.Equal(["e7", "e8"], await IdsAsync());
        var found = await _world.Archive.FindAsync(
            [new EventKey(Stream, new(100, 2), Noon), new EventKey(Stream, new(300, 2), Noon), new EventKey(Stream, new(300, 3), Noon)], Token);
        Assert.Equal([0, 1], found.Archived.Order());
        Assert.Equal(new StreamPosition(300, 2), found.Last[Stream]);
    }

    [Fact]
    public async Task FindAsync_knows_stored_dead_and_moved_events()
    {
        await CommitAsync(Entry(new(100, 1), null, Frames(1, 2)));
        await CommitAsync(Entry(new(200, 3), new(100, 2), [Repeated("e9", new(100, 9))]));
        await _world.ExecuteAsync(
            "insert into dead_events (stream, epoch, seq, recorded_at, flags, sqlstate, reason, frame) values ('s', 100, 5, now(), 0, 'x', 'x', '')");

        var found = await _world.Archive.FindAsync(
            [
                new EventKey(Stream, new(100, 2), Noon), new EventKey(Stream, new(100, 3), Noon), new EventKey(Stream, new(100, 5), Noon),
                new EventKey(Stream, new(100, 9), Noon), new EventKey("unknown", new(100, 1), Noon),
            ],
            Token);

        Assert.Equal([0, 2, 3], found.Archived.Order());
        Assert.Equal([Stream], found.Last.Keys);
    }

    [Fact]
    public async Task What_is_noted_beside_events_is_forgotten_with_time()
    {
        await CommitAsync(Entry(new(100, 1), null, Frames(1, 3)));
        await CommitAsync(Entry(new(200, 4), new(100, 3), [Repeated("e9", new(100, 9))]));
        await CommitAsync(TestEvents.Delete(Next(), "other", new(100, 3), Noon, fromArchive: true));
        var pruning = new ArchivePruning(_world.DataSource);
        var deleted = DateTimeOffset.FromUnixTimeMilliseconds(Noon);

        Assert.Equal(0, await pruning.ForgetAliasesAsync(TimeProvider.System.GetUtcNow().AddHours(-1), Token));
        Assert.Equal(0, await pruning.ForgetDeletionsAsync(deleted, Token));
        Assert.Single(await _world.Archive.ReadMovedAsync(Stream, new(100, 3), new(100, 9), 10, Token));

        Assert.Equal(1, await pruning.ForgetAliasesAsync(TimeProvider.System.GetUtcNow().AddHours(1), Token));
        Assert.Equal(1, await pruning.ForgetDeletionsAsync(deleted.AddMilliseconds(1), Token));
        Assert.Empty(await _world.Archive.ReadMovedAsync(Stream, new(100, 3), new(100, 9), 10, Token));
    }

    [Fact]
    public async Task ReadMovedAsync_gives_what_is_stored_later_and_names_what_is_stored_before()
    {
        await CommitAsync(Entry(new(100, 1), null, Frames(1, 3)));
        await CommitAsync(Entry(new(200, 4), new(100, 3), [Repeated("e2", new(100, 2)), Repeated("late", new(100, 7))]));

        var moved = await _world.Archive.ReadMovedAsync(Stream, new(100, 3), new(200, 9), 10, Token);

        Assert.Equal([(new(100, 7), new(200, 5)), (new StreamPosition(200, 4), new StreamPosition(100, 2))], moved.Select(item => (item.Position, item.At)));
        Assert.Equal(new StreamPosition(200, 5), moved[0].Event!.Value.Position);
    }

    private static EventFrame[] Frames(int first, int count) =>
        [.. Enumerable.Range(first, count).Select(number => TestEvents.Frame($"e{number}"))];

    /// <summary>A frame as the healing script makes it.</summary>
    private static EventFrame Repeated(string id, StreamPosition first)
    {
        var bytes = TestEvents.Frame(id, flags: EventFlags.Repeated).Bytes.ToArray();
        var name = "\"datacontenttype\":\"application/json\""u8;
        var at = bytes.AsSpan().IndexOf(name) + name.Length;
        bytes = [.. bytes[..at], .. Encoding.UTF8.GetBytes($",\"firstposition\":\"{first}\""), .. bytes[at..]];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, bytes.Length - 4);
        return EventFrame.Read(bytes);
    }

    private StreamPosition Next() => new(5, ++_entries);

    private ArchiveLogEntry Entry(StreamPosition first, StreamPosition? previous, EventFrame[] frames) =>
        TestEvents.Entry(Next(), Stream, first, Noon, previous, frames);

    private async Task CommitAsync(params ArchiveLogEntry[] entries)
    {
        var batch = new ArchiveBatch();
        foreach (var entry in entries)
        {
            Assert.True(batch.TryAdd(_lease, entry));
        }

        Assert.Empty((await _writer.CommitAsync(batch, Token)).Lost);
        _lease = _lease with { Watermark = batch.Partitions[0].Watermark };
    }

    private async Task<IEnumerable<string>> IdsAsync() => (await _world.ReadAllAsync(Stream)).Select(item =>
    {
        var json = Encoding.UTF8.GetString(item.Frame.Json.Span);
        return json[26..json.IndexOf('"', 26)];
    });

    private async Task AssertWellAsync(int events)
    {
        using var audit = new ArchiveAudit(_world.DataSource);
        var found = await audit.AuditAsync(Stream, Token);
        Assert.Equal((events, 0L, 0L, 0L), (found!.Events, found.Dead, found.HoleCount, found.RepeatedIds));
    }
}
