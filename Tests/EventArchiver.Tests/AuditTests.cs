using AspireStreaming.Archive;
using AspireStreaming.Archive.Writing;
using AspireStreaming.Streaming.Contracts;
using Npgsql;

namespace AspireStreaming.EventArchiver.Tests;

public sealed class AuditTests(Servers servers) : IAsyncLifetime
{
    private const string Stream = "s";

    private static readonly long Start = new DateTimeOffset(2026, 3, 1, 22, 0, 0, TimeSpan.Zero).ToUnixTimeMilliseconds();

    private World _world = null!;
    private ArchiveAudit _audit = null!;
    private int _entries;

    private static CancellationToken Token => World.Token;

    public async ValueTask InitializeAsync()
    {
        _world = await World.CreateAsync(servers);
        _audit = new ArchiveAudit(_world.DataSource);
    }

    public async ValueTask DisposeAsync()
    {
        _audit.Dispose();
        await _world.DisposeAsync();
    }

    [Fact]
    public async Task AuditAsync_without_a_schema_knows_no_stream() => Assert.Null(await _audit.AuditAsync(Stream, Token));

    [Fact]
    public async Task AuditAsync_of_a_whole_stream_over_days_and_linked_epochs_finds_nothing()
    {
        await _world.Schema.MigrateAsync(Token);
        await CommitAsync(new(100, 1), 10);
        await CommitAsync(new(100, 11), 10, day: 1);
        await CommitAsync(new(200, 21), 5, day: 1, previous: new(100, 20));
        await CommitAsync(new(300, 26), 1, day: 2, previous: new(200, 25));
        await CommitAsync(new(500, 1), 3, day: 2, stream: "other");

        var audit = await AuditAsync();

        Assert.True(audit.IsWell);
        Assert.False(audit.Trimmed);
        Assert.Equal((26L, 0L, 3L, 0L), (audit.Events, audit.Dead, audit.Epochs, audit.Restarts));
        Assert.Equal((new StreamPosition(100, 1), new StreamPosition(300, 26), new StreamPosition(300, 26)), (audit.First, audit.Last, audit.ArchivedTo));
        Assert.Null(await _audit.AuditAsync("unknown", Token));
    }

    [Fact]
    public async Task AuditAsync_finds_holes_within_an_epoch_at_both_ends_and_at_borders()
    {
        await _world.Schema.MigrateAsync(Token);
        await CommitAsync(new(100, 1), 20);
        await CommitAsync(new(200, 21), 10, day: 1, previous: new(100, 20));
        await CommitAsync(new(300, 31), 10, day: 1, previous: new(200, 30));
        await CommitAsync(new(400, 35), 10, day: 1, previous: new(300, 34));
        await _world.ExecuteAsync(
            """
            delete from events where epoch = 100 and seq in (1, 2, 5, 7, 8, 9, 20)
                or epoch = 200 and seq = 30 or epoch = 400 and seq in (41, 43, 44)
            """);

        var audit = await AuditAsync();

        Assert.Equal(
            [
                new AuditHole(new(100, 0), new(100, 2), 2),
                new AuditHole(new(100, 4), new(100, 5), 1),
                new AuditHole(new(100, 6), new(100, 9), 3),
                new AuditHole(new(100, 19), new(100, 20), 1),
                new AuditHole(new(200, 29), new(200, 30), 1),

                // The epoch before has more than the link knew of: what else it had is not known.
                new AuditHole(new(300, 40), new(400, 34), null),
                new AuditHole(new(400, 40), new(400, 41), 1),
                new AuditHole(new(400, 42), new(400, 44), 2),
            ],
            audit.Holes);
        Assert.Equal((8L, 0L, 0L), (audit.HoleCount, audit.Duplicates, audit.RepeatedIds));
        Assert.Equal((new StreamPosition(400, 42), new StreamPosition(400, 44)), (audit.Last, audit.ArchivedTo));
        Assert.False(audit.IsWell);
    }

    [Fact]
    public async Task AuditAsync_sizes_no_hole_across_lost_epochs()
    {
        await _world.Schema.MigrateAsync(Token);
        await CommitAsync(new(100, 1), 5);
        await CommitAsync(new(200, 6), 5, previous: new(100, 5));
        await CommitAsync(new(300, 11), 5, previous: new(200, 10));
        await CommitAsync(new(400, 16), 5, previous: new(300, 15));
        await _world.ExecuteAsync("delete from events where epoch = 200 or epoch = 400 and seq = 16");

        var audit = await AuditAsync();

        Assert.Equal([new AuditHole(new(100, 5), new(200, 10), null), new AuditHole(new(300, 15), new(400, 16), null)], audit.Holes);
    }

    [Fact]
    public async Task AuditAsync_of_a_stream_whose_events_are_all_gone_finds_one_hole()
    {
        await _world.Schema.MigrateAsync(Token);
        await CommitAsync(new(100, 1), 5);
        await _world.ExecuteAsync("delete from events");

        var audit = await AuditAsync();

        Assert.Equal([new AuditHole(new(100, 0), new(100, 5), 5)], audit.Holes);
        Assert.Equal((1L, 0L, (StreamPosition?)null), (audit.HoleCount, audit.Events, audit.First));
    }

    [Fact]
    public async Task AuditAsync_takes_a_beginning_anew_for_what_it_is()
    {
        await _world.Schema.MigrateAsync(Token);
        await CommitAsync(new(100, 1), 5);
        await CommitAsync(new(200, 1), 5, id: "second");

        var audit = await AuditAsync();

        Assert.True(audit.IsWell);
        Assert.Equal((2L, 1L), (audit.Epochs, audit.Restarts));
    }

    [Fact]
    public async Task AuditAsync_after_retention_says_trimmed_and_forgets_the_dead_of_dropped_days()
    {
        await _world.Schema.MigrateAsync(Token);
        await CommitAsync(new(100, 1), 5);
        await KillAsync(new(100, 2));
        await CommitAsync(new(100, 6), 5, day: 3);
        await _world.Days.DropBeforeAsync(new DateOnly(2026, 3, 4), Token);

        var audit = await AuditAsync();

        Assert.True(audit.IsWell);
        Assert.True(audit.Trimmed);
        Assert.Equal((5L, 0L, new StreamPosition(100, 6)), (audit.Events, audit.Dead, audit.First));
    }

    [Fact]
    public async Task AuditAsync_counts_dead_positions_as_present()
    {
        await _world.Schema.MigrateAsync(Token);
        await CommitAsync(new(100, 1), 10);
        await CommitAsync(new(200, 11), 5, previous: new(100, 10));
        foreach (var position in (StreamPosition[])[new(100, 1), new(100, 5), new(100, 6), new(200, 11), new(200, 15)])
        {
            await KillAsync(position);
        }

        var audit = await AuditAsync();

        Assert.True(audit.IsWell);
        Assert.Equal((10L, 5L, 2L), (audit.Events, audit.Dead, audit.Epochs));
        Assert.Equal((new StreamPosition(100, 1), new StreamPosition(200, 15)), (audit.First, audit.Last));
    }

    [Fact]
    public async Task AuditAsync_finds_positions_on_two_days_and_ids_at_two_positions()
    {
        await _world.Schema.MigrateAsync(Token);
        await CommitAsync(new(100, 1), 5);
        await CommitAsync(new(100, 6), 5, day: 1);
        await _world.ExecuteAsync(
            """
            insert into events select stream, epoch, seq, day + 1, event_id, source, type, time, recorded_at, previous_epoch, previous_seq, flags,
                attributes, data_kind, data from events where seq in (2, 4);
            update events set event_id = 'twice' where seq in (7, 9);
            update events set event_id = 'not twice' where seq in (6, 8);
            update events set source = '/another' where seq = 8;
            update events set event_id = 'again', attributes = case seq when 10 then '{"firstposition":"100-3"}'::json end where seq in (3, 10);
            """);

        var audit = await AuditAsync();

        Assert.Equal((0L, 2L, 1L), (audit.HoleCount, audit.Duplicates, audit.RepeatedIds));
        Assert.False(audit.IsWell);
    }

    [Fact]
    public async Task AuditAsync_lists_a_hundred_holes_and_counts_the_others()
    {
        await _world.Schema.MigrateAsync(Token);
        await CommitAsync(new(100, 1), 1);
        await _world.ExecuteAsync(
            """
            insert into events select stream, epoch, 1 + n * 2, day, event_id || n, source, type, time, recorded_at, null, null, flags, null, 0, null
                from events, generate_series(1, 200000) n;
            update streams set last_seq = 400003;
            """);

        var audit = await AuditAsync();

        Assert.Equal(200_001, audit.HoleCount);
        Assert.Equal(Enumerable.Range(1, 100).Select(n => new AuditHole(new(100, (n * 2) - 1), new(100, n * 2), 1)), audit.Holes);
        Assert.Equal((200_001L, 0L), (audit.Events, audit.RepeatedIds));
    }

    [Fact]
    public async Task AuditAsync_leaves_partitions_of_other_days_alone()
    {
        await _world.Schema.MigrateAsync(Token);
        await CommitAsync(new(100, 1), 5);
        await CommitAsync(new(100, 1), 5, day: 7, stream: "other");
        await using var connection = await _world.DataSource.OpenConnectionAsync(Token);
        await using var transaction = await connection.BeginTransactionAsync(Token);
        await using var command = new NpgsqlCommand("lock table events_20260308 in access exclusive mode", connection);
        await command.ExecuteNonQueryAsync(Token);

        Assert.True((await AuditAsync()).IsWell);
    }

    [Fact]
    public async Task AuditAsync_that_takes_too_long_says_so_and_one_that_is_cancelled_stops()
    {
        await _world.Schema.MigrateAsync(Token);
        await CommitAsync(new(100, 1), 5);
        await using var connection = await _world.DataSource.OpenConnectionAsync(Token);
        await using var transaction = await connection.BeginTransactionAsync(Token);
        await using var command = new NpgsqlCommand("lock table events in access exclusive mode", connection);
        await command.ExecuteNonQueryAsync(Token);

        using var hasty = new ArchiveAudit(_world.DataSource) { StatementTimeout = TimeSpan.FromMilliseconds(200) };
        await Assert.ThrowsAsync<TimeoutException>(() => hasty.AuditAsync(Stream, Token));

        using var cancelled = new CancellationTokenSource(TimeSpan.FromMilliseconds(200), TimeProvider.System);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _audit.AuditAsync(Stream, cancelled.Token));
        await transaction.RollbackAsync(Token);
        Assert.True((await AuditAsync()).IsWell);
    }

    private async Task<StreamAudit> AuditAsync()
    {
        var audit = await _audit.AuditAsync(Stream, Token);
        Assert.NotNull(audit);
        Assert.Equal(Stream, audit.Stream);
        return audit;
    }

    private async Task CommitAsync(
        StreamPosition first, int count, int day = 0, StreamPosition? previous = null, string stream = Stream, string id = "e")
    {
        await _world.ExecuteAsync("update partitions set owner = null");
        var lease = (await _world.Leases("a").ClaimAsync(64, Token)).Single(claim => claim.Lease.Partition == StreamName.PartitionOf(stream)).Lease;
        var frames = Enumerable.Range(0, count).Select(index => TestEvents.Frame($"{id}{first.Epoch}-{first.Sequence + index}")).ToArray();
        var batch = new ArchiveBatch();
        batch.TryAdd(lease, TestEvents.Entry(new(8, ++_entries), stream, first, Start + (day * TimeSpan.MillisecondsPerDay), previous, frames));
        await using var writer = _world.Writer("a");
        Assert.Empty((await writer.CommitAsync(batch, Token)).Lost);
    }

    /// <summary>The event as if the table had refused it.</summary>
    private Task KillAsync(StreamPosition position) => _world.ExecuteAsync(
        $"""
        with gone as (delete from events where epoch = {position.Epoch} and seq = {position.Sequence} returning *)
        insert into dead_events (stream, epoch, seq, recorded_at, type, flags, sqlstate, reason, frame)
        select stream, epoch, seq, recorded_at, type, flags, '22000', 'a test', '' from gone
        """);
}
