using AspireStreaming.Streaming.Contracts;
using Npgsql;
using NpgsqlTypes;

namespace AspireStreaming.Archive.Writing;

/// <summary>A connection with the statements of a commit, prepared.</summary>
internal sealed class CommitSession : IAsyncDisposable
{
    /// <summary>Rows go to the server in messages of this size, which is what it must hold of them at once.</summary>
    private const int CopyChunkBytes = 256 << 10;

    private static readonly byte[] CopyHeader = [.. "PGCOPY\n"u8, 0xFF, .. "\r\n\0"u8, 0, 0, 0, 0, 0, 0, 0, 0];
    private static readonly byte[] CopyTrailer = [0xFF, 0xFF];

    private readonly NpgsqlCommand _advance;
    private readonly NpgsqlCommand _tally;
    private readonly NpgsqlCommand _deleted;

    private CommitSession(NpgsqlConnection connection)
    {
        Connection = connection;
        _advance = new NpgsqlCommand(
            """
            update partitions p
            set watermark_epoch = given.epoch, watermark_seq = given.seq, lease_until = clock_timestamp() + $6
            from unnest($2::smallint[], $3::bigint[], $4::bigint[], $5::bigint[]) as given(partition, fence, epoch, seq)
            where p.partition = given.partition and p.owner = $1 and p.fence = given.fence
            returning p.partition
            """,
            connection)
        {
            Parameters =
            {
                new() { NpgsqlDbType = NpgsqlDbType.Text },
                Array(NpgsqlDbType.Smallint),
                Array(NpgsqlDbType.Bigint),
                Array(NpgsqlDbType.Bigint),
                Array(NpgsqlDbType.Bigint),
                new() { NpgsqlDbType = NpgsqlDbType.Interval },
            },
        };
        _deleted = new NpgsqlCommand("select stream, epoch, seq from deletions where stream = any($1)", connection)
        {
            Parameters = { Array(NpgsqlDbType.Text) },
        };
        _tally = new NpgsqlCommand(
            """
            insert into streams as s
                (name, first_epoch, first_seq, last_epoch, last_seq, count, end_state, end_type, updated_at, first_day, last_day)
            select * from unnest(
                $1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[], $8::text[], $9::timestamptz[],
                $10::date[], $11::date[])
            on conflict (name) do update set
                first_epoch = least(s.first_epoch, excluded.first_epoch),
                first_seq = case
                    when (excluded.first_epoch, excluded.first_seq) < (s.first_epoch, s.first_seq) then excluded.first_seq else s.first_seq end,
                last_epoch = greatest(s.last_epoch, excluded.last_epoch),
                last_seq = case
                    when (excluded.last_epoch, excluded.last_seq) > (s.last_epoch, s.last_seq) then excluded.last_seq else s.last_seq end,
                count = s.count + excluded.count,
                end_state = case
                    when (excluded.last_epoch, excluded.last_seq) > (s.deleted_epoch, s.deleted_seq) then excluded.end_state
                    else coalesce(excluded.end_state, s.end_state) end,
                end_type = case
                    when (excluded.last_epoch, excluded.last_seq) > (s.deleted_epoch, s.deleted_seq) then excluded.end_type
                    else coalesce(excluded.end_type, s.end_type) end,
                deleted_at = case
                    when (excluded.last_epoch, excluded.last_seq) > (s.deleted_epoch, s.deleted_seq) then null else s.deleted_at end,
                deleted_epoch = case
                    when (excluded.last_epoch, excluded.last_seq) > (s.deleted_epoch, s.deleted_seq) then null else s.deleted_epoch end,
                deleted_seq = case
                    when (excluded.last_epoch, excluded.last_seq) > (s.deleted_epoch, s.deleted_seq) then null else s.deleted_seq end,
                updated_at = greatest(s.updated_at, excluded.updated_at),
                first_day = least(s.first_day, excluded.first_day),
                last_day = greatest(s.last_day, excluded.last_day)
            """,
            connection)
        {
            Parameters =
            {
                Array(NpgsqlDbType.Text),
                Array(NpgsqlDbType.Bigint),
                Array(NpgsqlDbType.Bigint),
                Array(NpgsqlDbType.Bigint),
                Array(NpgsqlDbType.Bigint),
                Array(NpgsqlDbType.Bigint),
                Array(NpgsqlDbType.Text),
                Array(NpgsqlDbType.Text),
                Array(NpgsqlDbType.TimestampTz),
                Array(NpgsqlDbType.Date),
                Array(NpgsqlDbType.Date),
            },
        };
    }

    /// <summary>The connection.</summary>
    public NpgsqlConnection Connection { get; }

    /// <summary>Connects and prepares.</summary>
    public static async Task<CommitSession> OpenAsync(NpgsqlDataSource dataSource, CancellationToken cancellationToken)
    {
        var session = new CommitSession(await dataSource.OpenConnectionAsync(cancellationToken));
        try
        {
            await session._advance.PrepareAsync(cancellationToken);
            await session._tally.PrepareAsync(cancellationToken);
            await session._deleted.PrepareAsync(cancellationToken);
            return session;
        }
        catch
        {
            await session.DisposeAsync();
            throw;
        }
    }

    /// <summary>Sets watermarks under their fences and renews the leases.</summary>
    /// <returns>Partitions that another replica owns by now.</returns>
    public async Task<List<int>> AdvanceAsync(List<PartitionAdvance> partitions, string owner, TimeSpan lease, CancellationToken cancellationToken)
    {
        _advance.Parameters[0].Value = owner;
        _advance.Parameters[1].Value = partitions.ConvertAll(static partition => (short)partition.Partition);
        _advance.Parameters[2].Value = partitions.ConvertAll(static partition => partition.Fence);
        _advance.Parameters[3].Value = partitions.ConvertAll(static partition => partition.Watermark.Epoch);
        _advance.Parameters[4].Value = partitions.ConvertAll(static partition => partition.Watermark.Sequence);
        _advance.Parameters[5].Value = lease;
        var lost = partitions.ConvertAll(static partition => partition.Partition);
        await using var reader = await _advance.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            lost.Remove(reader.GetInt16(0));
        }

        return lost;
    }

    /// <summary>Copies rows into a table.</summary>
    public async Task CopyAsync(string table, CopyBuffer rows, int from, int to, CancellationToken cancellationToken)
    {
        if (from == to)
        {
            return;
        }

        // Disposing is what ends the COPY and reports its failure.
        await using var copy = await Connection.BeginRawBinaryCopyAsync(
            $"copy {table} ({CopyBuffer.Columns}) from stdin (format binary)", cancellationToken);
        await copy.WriteAsync(CopyHeader, cancellationToken);
        for (var bytes = rows.Rows(from, to); !bytes.IsEmpty;)
        {
            var length = Math.Min(bytes.Length, CopyChunkBytes);
            await copy.WriteAsync(bytes[..length], cancellationToken);
            bytes = bytes[length..];
        }

        await copy.WriteAsync(CopyTrailer, cancellationToken);
    }

    /// <summary>Makes the temporary table, empty.</summary>
    public async Task PrepareStagingAsync(CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            "create temporary table if not exists events_staging (like events) on commit delete rows", Connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>Inserts those of a range of rows that are not there yet, and adds them to their streams' tallies.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="from">First row.</param>
    /// <param name="to">The row after the last.</param>
    /// <param name="more">Whether other ranges follow in this transaction.</param>
    /// <param name="cancellationToken">Ends waiting.</param>
    /// <returns>Their number.</returns>
    public async Task<long> StageAsync(ArchiveBatch batch, int from, int to, bool more, CancellationToken cancellationToken)
    {
        await CopyAsync("events_staging", batch.Rows, from, to, cancellationToken);
        await using var command = new NpgsqlCommand(
            $"""
            with inserted as (
                insert into events ({CopyBuffer.Columns}) select {CopyBuffer.Columns} from events_staging on conflict do nothing returning stream
            )
            select stream, count(*) from inserted group by stream;
            {(more ? "delete from events_staging" : "")}
            """,
            Connection);
        var sum = 0L;
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            var count = reader.GetInt64(1);
            batch.Streams[reader.GetString(0)].Inserted += count;
            sum += count;
        }

        return sum;
    }

    /// <summary>Keeps events that the table refuses, with the reason.</summary>
    public async Task BuryAsync(List<DeadEvent> dead, CancellationToken cancellationToken)
    {
        foreach (var item in dead)
        {
            await using var command = new NpgsqlCommand(
                """
                insert into dead_events (stream, epoch, seq, recorded_at, type, flags, sqlstate, reason, frame)
                values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing
                """,
                Connection);
            command.Parameters.Add(Text(item.Stream));
            command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = item.Position.Epoch });
            command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = item.Position.Sequence });
            command.Parameters.Add(Time(item.RecordedAt));
            command.Parameters.Add(new NpgsqlParameter { Value = Storable(item.Type) ?? (object)DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text });
            command.Parameters.Add(new NpgsqlParameter<short> { TypedValue = (short)item.Flags });
            command.Parameters.Add(Text(item.SqlState));
            command.Parameters.Add(Text(Storable(item.Reason)!));
            command.Parameters.Add(new NpgsqlParameter<byte[]> { TypedValue = item.Frame.ToArray() });
            await command.ExecuteNonQueryAsync(cancellationToken);
        }
    }

    /// <summary>
    /// An event that was appended again after a fault is kept once: where it was first if that is archived, else where it is now. The
    /// other position becomes an alias.
    /// </summary>
    /// <returns>1 when the row just inserted went again, else 0.</returns>
    public async Task<long> ResolveAsync(RepeatedEvent repeated, StreamTally tally, CancellationToken cancellationToken)
    {
        StreamPosition? stored = null;
        await using (var find = new NpgsqlCommand(
            """
            select epoch, seq from events where stream = $1 and epoch = $2 and seq = $3
            union all
            select at_epoch, at_seq from event_aliases where stream = $1 and epoch = $2 and seq = $3
            limit 1
            """,
            Connection))
        {
            find.Parameters.Add(Text(repeated.Stream));
            AddPosition(find.Parameters, repeated.First);
            await using var reader = await find.ExecuteReaderAsync(cancellationToken);
            if (await reader.ReadAsync(cancellationToken))
            {
                stored = new StreamPosition(reader.GetInt64(0), reader.GetInt64(1));
            }
        }

        var removed = 0;
        var (alias, at) = (repeated.First, repeated.Position);
        if (stored is { } elsewhere && elsewhere != repeated.Position)
        {
            await using var remove = new NpgsqlCommand("delete from events where stream = $1 and epoch = $2 and seq = $3", Connection);
            remove.Parameters.Add(Text(repeated.Stream));
            AddPosition(remove.Parameters, repeated.Position);
            removed = await remove.ExecuteNonQueryAsync(cancellationToken);
            tally.Inserted -= removed;
            (alias, at) = (repeated.Position, elsewhere);
        }

        await using var note = new NpgsqlCommand(
            "insert into event_aliases (stream, epoch, seq, at_epoch, at_seq) values ($1, $2, $3, $4, $5) on conflict do nothing", Connection);
        note.Parameters.Add(Text(repeated.Stream));
        AddPosition(note.Parameters, alias);
        AddPosition(note.Parameters, at);
        await note.ExecuteNonQueryAsync(cancellationToken);
        return removed;
    }

    /// <summary>Takes out again what belongs to a stream's life before a deletion: an old log came back.</summary>
    /// <returns>Number of rows.</returns>
    public async Task<long> ForgetDeletedAsync(Dictionary<string, StreamTally> streams, CancellationToken cancellationToken)
    {
        if (streams.Count == 0)
        {
            return 0;
        }

        _deleted.Parameters[0].Value = streams.Keys.ToArray();
        var forgotten = new List<(string Stream, StreamPosition UpTo)>();
        await using (var reader = await _deleted.ExecuteReaderAsync(cancellationToken))
        {
            while (await reader.ReadAsync(cancellationToken))
            {
                var upTo = new StreamPosition(reader.GetInt64(1), reader.GetInt64(2));
                if (streams[reader.GetString(0)].First <= upTo)
                {
                    forgotten.Add((reader.GetString(0), upTo));
                }
            }
        }

        var removed = 0L;
        foreach (var (stream, upTo) in forgotten)
        {
            await using var command = new NpgsqlCommand("delete from events where stream = $1 and (epoch, seq) <= ($2, $3)", Connection);
            command.Parameters.Add(Text(stream));
            AddPosition(command.Parameters, upTo);
            var count = await command.ExecuteNonQueryAsync(cancellationToken);
            var tally = streams[stream];
            tally.Inserted -= count;
            removed += count;
            if (tally.Last <= upTo)
            {
                streams.Remove(stream);
            }
        }

        return removed;
    }

    /// <summary>Brings the streams table up to date.</summary>
    public async Task TallyAsync(Dictionary<string, StreamTally> streams, CancellationToken cancellationToken)
    {
        if (streams.Count == 0)
        {
            return;
        }

        // In order of name: two replicas that meet here, one of them late, must not wait for each other.
        var names = new string[streams.Count];
        streams.Keys.CopyTo(names, 0);
        System.Array.Sort(names, StringComparer.Ordinal);
        var tallies = System.Array.ConvertAll(names, name => streams[name]);
        var parameters = _tally.Parameters;
        parameters[0].Value = names;
        parameters[1].Value = System.Array.ConvertAll(tallies, static tally => tally.First.Epoch);
        parameters[2].Value = System.Array.ConvertAll(tallies, static tally => tally.First.Sequence);
        parameters[3].Value = System.Array.ConvertAll(tallies, static tally => tally.Last.Epoch);
        parameters[4].Value = System.Array.ConvertAll(tallies, static tally => tally.Last.Sequence);
        parameters[5].Value = System.Array.ConvertAll(tallies, static tally => tally.Inserted);
        parameters[6].Value = System.Array.ConvertAll(tallies, static tally => tally.EndState);
        parameters[7].Value = System.Array.ConvertAll(tallies, static tally => tally.EndType);
        parameters[8].Value = System.Array.ConvertAll(
            tallies, static tally => DateTimeOffset.FromUnixTimeSeconds(Math.DivRem(tally.RecordedAt, 1000).Quotient).UtcDateTime);
        parameters[9].Value = System.Array.ConvertAll(tallies, static tally => tally.FirstDay);
        parameters[10].Value = System.Array.ConvertAll(tallies, static tally => tally.LastDay);
        await _tally.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>Deletes a stream up to a position from the archive, or marks it as deleted elsewhere.</summary>
    public async Task DeleteAsync(StreamDeletion deletion, CancellationToken cancellationToken)
    {
        await using var batch = new NpgsqlBatch(Connection);
        if (deletion.FromArchive)
        {
            Add(
                """
                delete from events where stream = $1 and (epoch, seq) <= ($2, $3)
                    and day >= (select first_day from streams where name = $1) and day <= (select last_day from streams where name = $1)
                """);
            Add("delete from dead_events where stream = $1 and (epoch, seq) <= ($2, $3)");
            Add("delete from event_aliases where stream = $1 and (epoch, seq) <= ($2, $3)");
            Add(
                """
                insert into deletions as d (stream, epoch, seq, deleted_at) values ($1, $2, $3, $4)
                on conflict (stream) do update set epoch = excluded.epoch, seq = excluded.seq, deleted_at = excluded.deleted_at
                    where (d.epoch, d.seq) < (excluded.epoch, excluded.seq)
                """,
                deletion.DeletedAt);
            Add("delete from streams where name = $1 and (last_epoch, last_seq) <= ($2, $3)");

            // An old delete that came again after the stream began anew leaves the new part.
            Add(
                """
                update streams s set count = rest.count, first_epoch = rest.epoch, first_seq = rest.seq, first_day = rest.day
                from (
                    select count(*) over () as count, epoch, seq, day from events
                    where stream = $1 and (epoch, seq) > ($2, $3) order by epoch, seq limit 1
                ) rest
                where s.name = $1
                """);
        }
        else
        {
            Add(
                "update streams set deleted_at = $4, deleted_epoch = $2, deleted_seq = $3 where name = $1 and (last_epoch, last_seq) <= ($2, $3)",
                deletion.DeletedAt);
        }

        await batch.ExecuteNonQueryAsync(cancellationToken);

        void Add(string sql, long? time = null)
        {
            var command = new NpgsqlBatchCommand(sql)
            {
                Parameters =
                {
                    Text(deletion.Stream),
                    new NpgsqlParameter<long> { TypedValue = deletion.Position.Epoch },
                    new NpgsqlParameter<long> { TypedValue = deletion.Position.Sequence },
                },
            };
            if (time is { } milliseconds)
            {
                command.Parameters.Add(Time(milliseconds));
            }

            batch.BatchCommands.Add(command);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _advance.DisposeAsync();
        await _tally.DisposeAsync();
        await _deleted.DisposeAsync();
        await Connection.DisposeAsync();
    }

    private static void AddPosition(NpgsqlParameterCollection parameters, StreamPosition position)
    {
        parameters.Add(new NpgsqlParameter<long> { TypedValue = position.Epoch });
        parameters.Add(new NpgsqlParameter<long> { TypedValue = position.Sequence });
    }

    private static string? Storable(string? text) => text?.Replace('\0', '\uFFFD');

    private static NpgsqlParameter<DateTime> Time(long unixMilliseconds) =>
        new() { TypedValue = DateTimeOffset.FromUnixTimeMilliseconds(unixMilliseconds).UtcDateTime };

    private static NpgsqlParameter<string> Text(string value) => new() { TypedValue = value, NpgsqlDbType = NpgsqlDbType.Text };

    private static NpgsqlParameter Array(NpgsqlDbType type) => new() { NpgsqlDbType = NpgsqlDbType.Array | type };
}
