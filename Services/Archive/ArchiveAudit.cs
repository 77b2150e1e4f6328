using System.Globalization;
using AspireStreaming.Streaming.Contracts;
using Npgsql;
using NpgsqlTypes;

namespace AspireStreaming.Archive;

/// <summary>
/// Finds whatever is missing in the archive, or there twice, one stream at a time. Thread-safe. The database does the work, in time
/// proportional to the stream's events; here memory stays the same for any stream.
/// </summary>
public sealed class ArchiveAudit(NpgsqlDataSource dataSource) : IDisposable
{
    /// <summary>Most holes that are listed; others are only counted.</summary>
    public const int MaxHoles = 100;

    /// <summary>Audits under way at once; further ones wait. Each may keep a processor of the database busy.</summary>
    private const int MaxAtOnce = 4;

    /// <summary>How often an audit is done again because the stream reached another day meanwhile.</summary>
    private const int MaxRounds = 3;

    /// <summary>
    /// One pass over the positions in the order of their key, so that the server needs no memory that grows, then one over the ids,
    /// for which it uses its disk. The link of a later epoch's first event names the position that must stand before it; a dead
    /// event's link is not kept, but sequences go on counting where continuity was proven. Dead events that are older than what
    /// retention left are past.
    /// </summary>
    private const string Sql =
        """
        with stream as (
            select first_epoch, first_seq, last_epoch, last_seq, first_day, last_day from streams where name = $1
        ),
        present as (
            select epoch, seq, previous_epoch, previous_seq, false as dead, false as alias from events
            where stream = $1 and day between $2 and $3
            union all
            select epoch, seq, null, null, true, false from dead_events
            where stream = $1 and (epoch, seq) >= (select first_epoch, first_seq from stream)
            union all
            -- The event is at another position.
            select epoch, seq, null, null, true, true from event_aliases
            where stream = $1 and (epoch, seq) >= (select first_epoch, first_seq from stream)
        ),
        steps as (
            select epoch, seq, previous_epoch, previous_seq, dead, alias,
                lag(epoch) over w as epoch_before, lag(seq) over w as seq_before, lag(dead) over w as dead_before,
                lead(epoch) over w is null as ends
            from present window w as (order by epoch, seq)
        ),
        judged as (
            select *,
                case
                    when epoch_before is null then 'first'
                    when epoch = epoch_before and seq = seq_before then case when dead or dead_before then 'next' else 'again' end
                    when epoch = epoch_before then case when seq = seq_before + 1 then 'next' else 'hole' end
                    when previous_epoch is not null
                        then case when (previous_epoch, previous_seq) = (epoch_before, seq_before) then 'next' else 'hole' end
                    when seq = 1 then 'anew'
                    when dead and seq = seq_before + 1 then 'next'
                    else 'hole'
                end as step,
                epoch <> epoch_before and (previous_epoch, previous_seq) > (epoch_before, seq_before) as linked
            from steps
        ),
        numbered as (
            select *,
                case when linked then previous_epoch else epoch end as to_epoch,
                case when linked then previous_seq else seq - 1 end as to_seq,
                count(*) filter (where step = 'hole') over (order by epoch, seq rows unbounded preceding) as number
            from judged
        ),
        totals as (
            select
                count(*) filter (where not dead) as events,
                count(*) filter (where dead and not alias) as dead,
                count(*) filter (where epoch is distinct from epoch_before) as epochs,
                count(*) filter (where step = 'anew') as restarts,
                count(*) filter (where step = 'hole') as holes,
                count(*) filter (where step = 'again') as duplicates,
                min(epoch) filter (where step = 'first') as from_epoch, min(seq) filter (where step = 'first') as from_seq,
                max(epoch) filter (where ends) as until_epoch, max(seq) filter (where ends) as until_seq,
                array_agg(epoch_before) filter (where step = 'hole' and number <= $4) as hole_from_epoch,
                array_agg(seq_before) filter (where step = 'hole' and number <= $4) as hole_from_seq,
                array_agg(to_epoch) filter (where step = 'hole' and number <= $4) as hole_to_epoch,
                array_agg(to_seq) filter (where step = 'hole' and number <= $4) as hole_to_seq
            from numbered
        ),
        -- An event that was appended again after a fault says so, and is no second one.
        repeated as (
            select count(*) as ids from (
                select from events
                where stream = $1 and day between $2 and $3
                    and (attributes is null or attributes::text not like '%"firstposition":%')
                group by source, event_id, flags & 256
                having min(epoch) <> max(epoch) or min(seq) <> max(seq)
            ) identities
        )
        select
            first_day, last_day, first_epoch, first_seq, last_epoch, last_seq,
            events, dead, epochs, restarts, holes, duplicates, ids, from_epoch, from_seq, until_epoch, until_seq,
            hole_from_epoch, hole_from_seq, hole_to_epoch, hole_to_seq
        from stream cross join totals cross join repeated
        """;

    private readonly SemaphoreSlim _slots = new(MaxAtOnce);

    /// <summary>How long the database may work on one stream; more than 0, default 60 s.</summary>
    public TimeSpan StatementTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Audits a stream; null when nothing of it is archived.</summary>
    /// <exception cref="TimeoutException">The stream needs more than <see cref="StatementTimeout"/>.</exception>
    /// <exception cref="NpgsqlException">The database is away.</exception>
    public async Task<StreamAudit?> AuditAsync(string stream, CancellationToken cancellationToken)
    {
        await _slots.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return await AuditNowAsync(stream, cancellationToken).ConfigureAwait(false);
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.UndefinedTable)
        {
            return null;
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.QueryCanceled)
        {
            throw new TimeoutException($"The audit of '{stream}' took longer than {StatementTimeout.TotalSeconds:0.#} s.", exception);
        }
        finally
        {
            _slots.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _slots.Dispose();

    private async Task<StreamAudit?> AuditNowAsync(string stream, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        await LimitAsync(connection, cancellationToken).ConfigureAwait(false);
        if (await ReadDaysAsync(connection, stream, cancellationToken).ConfigureAwait(false) is not { } days)
        {
            return null;
        }

        // The days are given as values, so that the planner neither opens nor locks the partitions of others.
        for (var round = 1; ; round++)
        {
            await using var command = new NpgsqlCommand(Sql, connection) { CommandTimeout = CommandTimeout };
            command.Parameters.Add(Text(stream));
            command.Parameters.Add(new NpgsqlParameter<DateOnly> { TypedValue = days.First });
            command.Parameters.Add(new NpgsqlParameter<DateOnly> { TypedValue = days.Last });
            command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = MaxHoles });
            await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            if (!await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                return null;
            }

            var seen = (First: reader.GetFieldValue<DateOnly>(0), Last: reader.GetFieldValue<DateOnly>(1));
            if (round == MaxRounds || (seen.First >= days.First && seen.Last <= days.Last))
            {
                return Read(stream, reader);
            }

            days = seen;
        }
    }

    /// <summary>Longer than the statement's own limit, which explains itself; for a server that does not answer at all.</summary>
    private int CommandTimeout => (int)StatementTimeout.TotalSeconds + 10;

    private async Task LimitAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("select set_config('statement_timeout', $1, true)", connection);
        command.Parameters.Add(Text(((long)StatementTimeout.TotalMilliseconds).ToString(CultureInfo.InvariantCulture)));
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    private static async Task<(DateOnly First, DateOnly Last)?> ReadDaysAsync(
        NpgsqlConnection connection, string stream, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("select first_day, last_day from streams where name = $1", connection);
        command.Parameters.Add(Text(stream));
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        return await reader.ReadAsync(cancellationToken).ConfigureAwait(false)
            ? (reader.GetFieldValue<DateOnly>(0), reader.GetFieldValue<DateOnly>(1))
            : null;
    }

    private static StreamAudit Read(string stream, NpgsqlDataReader reader)
    {
        var expectedFirst = Position(reader, 2)!.Value;
        var archivedTo = Position(reader, 4)!.Value;
        var first = Position(reader, 13);
        var last = Position(reader, 15);
        var count = reader.GetInt64(10);
        var holes = ReadHoles(reader);

        // What the streams table promises and no event keeps.
        if (first is null || expectedFirst < first)
        {
            var beforeFirst = expectedFirst with { Sequence = expectedFirst.Sequence - 1 };
            holes.Insert(0, Hole(beforeFirst, first is { } present ? present with { Sequence = present.Sequence - 1 } : archivedTo));
            count++;
        }

        if (last < archivedTo)
        {
            holes.Add(Hole(last.Value, archivedTo));
            count++;
        }

        return new StreamAudit(
            stream,
            Events: reader.GetInt64(6),
            Dead: reader.GetInt64(7),
            Epochs: reader.GetInt64(8),
            Restarts: reader.GetInt64(9),
            first,
            last,
            holes.Count > MaxHoles ? holes.GetRange(0, MaxHoles) : holes,
            count,
            Duplicates: reader.GetInt64(11),
            RepeatedIds: reader.GetInt64(12),
            archivedTo);
    }

    private static List<AuditHole> ReadHoles(NpgsqlDataReader reader)
    {
        var holes = new List<AuditHole>();
        if (!reader.IsDBNull(17))
        {
            var columns = Enumerable.Range(17, 4).Select(column => reader.GetFieldValue<long[]>(column)).ToArray();
            for (var index = 0; index < columns[0].Length; index++)
            {
                holes.Add(Hole(new(columns[0][index], columns[1][index]), new(columns[2][index], columns[3][index])));
            }

            // The server aggregates in no order that it promises.
            holes.Sort(static (left, right) => left.To.CompareTo(right.To));
        }

        return holes;
    }

    private static AuditHole Hole(StreamPosition from, StreamPosition to) =>
        new(from, to, from.Epoch == to.Epoch ? to.Sequence - from.Sequence : null);

    private static StreamPosition? Position(NpgsqlDataReader reader, int column) =>
        reader.IsDBNull(column) ? null : new StreamPosition(reader.GetInt64(column), reader.GetInt64(column + 1));

    private static NpgsqlParameter<string> Text(string value) => new() { TypedValue = value, NpgsqlDbType = NpgsqlDbType.Text };
}
