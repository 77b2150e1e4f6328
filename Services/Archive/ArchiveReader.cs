using System.Data;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;
using Npgsql;
using NpgsqlTypes;

namespace AspireStreaming.Archive;

/// <summary>
/// Reads the archive. Thread-safe. A schema that is not there yet reads as an empty archive; where the database is away, the
/// exceptions of Npgsql come through.
/// </summary>
public sealed class ArchiveReader : IArchiveLookup
{
    /// <summary>How many of a stream's newest archived events <see cref="LookUpAsync"/> searches for ids.</summary>
    internal const int LookUpDepth = 1000;

    /// <summary>Of how many streams one query of <see cref="LookUpAsync"/> tells: with ids to look for each costs the database a millisecond.</summary>
    private const int MostLookedUpTogether = 16;

    /// <summary>After a loss all streams of a publisher have to be looked up within a short time: one connection would be too few for many.</summary>
    private const int MostLookUpsUnderWay = 8;

    private const string EventColumns =
        "epoch, seq, recorded_at, previous_epoch, previous_seq, type, flags, event_id, source, time, attributes, data_kind, data";

    private const string StreamColumns =
        "name, first_epoch, first_seq, last_epoch, last_seq, count, end_state, end_type, updated_at, deleted_at";

    private readonly NpgsqlDataSource _dataSource;
    private readonly Gathered<LookedUp, ArchiveKnowledge> _lookUps;

    /// <summary>Connects to nothing yet.</summary>
    public ArchiveReader(NpgsqlDataSource dataSource)
    {
        _dataSource = dataSource;
        _lookUps = new(LookUpTogetherAsync, MostLookedUpTogether, MostLookUpsUnderWay);
    }

    /// <summary>Up to <paramref name="count"/> events after a position, oldest first, across epochs.</summary>
    public Task<StoredEvent[]> ReadAfterAsync(string stream, StreamPosition after, int count, CancellationToken cancellationToken) =>
        ReadEventsAsync(
            stream,
            $"""
            select {EventColumns} from events
            where stream = $1 and day between $2 and $3 and (epoch, seq) > ($4, $5)
            order by epoch, seq limit $6
            """,
            after,
            count,
            cancellationToken);

    /// <summary>Up to <paramref name="count"/> events before a position (null = from the end), newest first, across epochs.</summary>
    public Task<StoredEvent[]> ReadBeforeAsync(string stream, StreamPosition? before, int count, CancellationToken cancellationToken) =>
        ReadEventsAsync(
            stream,
            $"""
            select {EventColumns} from events
            where stream = $1 and day between $2 and $3 and (epoch, seq) < ($4, $5)
            order by epoch desc, seq desc limit $6
            """,
            before ?? new StreamPosition(long.MaxValue, long.MaxValue),
            count,
            cancellationToken);

    /// <summary>The stream; null when nothing of it is archived.</summary>
    public Task<ArchivedStream?> ReadStreamAsync(string stream, CancellationToken cancellationToken) => TolerantAsync(
        async () =>
        {
            await using var command = _dataSource.CreateCommand($"select {StreamColumns} from streams where name = $1");
            command.Parameters.Add(Text(stream));
            await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            return await reader.ReadAsync(cancellationToken).ConfigureAwait(false) ? ReadStream(reader) : null;
        },
        null);

    /// <summary>A page of the streams, newest activity first, then by name.</summary>
    /// <param name="limit">Most streams to return.</param>
    /// <param name="after"><see cref="ArchivedStream.UpdatedAt"/> and name of the page before's last stream; null for the first page.</param>
    /// <param name="cancellationToken">Ends waiting.</param>
    public Task<IReadOnlyList<ArchivedStream>> ListStreamsAsync(
        int limit, (DateTimeOffset UpdatedAt, string Name)? after, CancellationToken cancellationToken) => TolerantAsync<IReadOnlyList<ArchivedStream>>(
        async () =>
        {
            await using var command = _dataSource.CreateCommand(
                after is null
                    ? $"select {StreamColumns} from streams order by updated_at desc, name limit $1"
                    : $"""
                       select {StreamColumns} from streams
                       where updated_at <= $2 and (updated_at < $2 or name > $3) order by updated_at desc, name limit $1
                       """);
            command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = limit });
            if (after is { } cursor)
            {
                command.Parameters.Add(new NpgsqlParameter<DateTime> { TypedValue = cursor.UpdatedAt.UtcDateTime });
                command.Parameters.Add(Text(cursor.Name));
            }

            var streams = new List<ArchivedStream>();
            await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                streams.Add(ReadStream(reader));
            }

            return streams;
        },
        []);

    /// <summary>
    /// Where to start reading events that were recorded at a time or later: the position just before the first of them; null when
    /// there is none.
    /// </summary>
    public Task<StreamPosition?> FindByTimeAsync(string stream, DateTimeOffset recordedFrom, CancellationToken cancellationToken) => TolerantAsync(
        async () =>
        {
            await using var connection = await _dataSource.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
            return await TimeSearch.FindAsync(connection, stream, recordedFrom, cancellationToken).ConfigureAwait(false);
        },
        null);

    /// <summary>ID of the last entry of a partition's archive log that is archived; <c>0-0</c> for none.</summary>
    public Task<StreamPosition> ReadWatermarkAsync(int partition, CancellationToken cancellationToken) => TolerantAsync(
        async () =>
        {
            await using var command = _dataSource.CreateCommand("select watermark_epoch, watermark_seq from partitions where partition = $1");
            command.Parameters.Add(new NpgsqlParameter<short> { TypedValue = (short)partition });
            await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            return await reader.ReadAsync(cancellationToken).ConfigureAwait(false)
                ? new StreamPosition(reader.GetInt64(0), reader.GetInt64(1))
                : StreamPosition.Zero;
        },
        StreamPosition.Zero);

    /// <summary>Positions after one and up to another whose events the archive had to refuse (<c>dead_events</c>), oldest first.</summary>
    public Task<StreamPosition[]> ReadDeadAsync(
        string stream, StreamPosition after, StreamPosition upTo, int count, CancellationToken cancellationToken) => TolerantAsync(
        async () =>
        {
            await using var command = _dataSource.CreateCommand(
                """
                select epoch, seq from dead_events
                where stream = $1 and (epoch, seq) > ($2, $3) and (epoch, seq) <= ($4, $5) order by epoch, seq limit $6
                """);
            command.Parameters.Add(Text(stream));
            AddPosition(command.Parameters, after);
            AddPosition(command.Parameters, upTo);
            command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = count });
            var positions = new List<StreamPosition>();
            await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                positions.Add(new StreamPosition(reader.GetInt64(0), reader.GetInt64(1)));
            }

            return positions.ToArray();
        },
        []);

    /// <summary>
    /// One round trip: the stream's last position and end, and which of <paramref name="events"/> with given ids are among its
    /// newest 1,000 archived events.
    /// </summary>
    /// <remarks>
    /// Look-ups that come while one is under way go together in the next: who starts many streams at once asks for each of them.
    /// </remarks>
    public Task<ArchiveKnowledge> LookUpAsync(string stream, IReadOnlyList<AppendEvent> events, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(events);
        return _lookUps.AskAsync(new(stream, events), cancellationToken);
    }

    /// <inheritdoc/>
    public Task<ArchivedEvents> FindAsync(IReadOnlyList<EventKey> events, CancellationToken cancellationToken) => TolerantAsync(
        async () =>
        {
            ArgumentNullException.ThrowIfNull(events);
            var connection = await _dataSource.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
            await using var closing = connection.ConfigureAwait(false);
            await using var batch = new NpgsqlBatch(connection);
            batch.BatchCommands.Add(new NpgsqlBatchCommand("select name, last_epoch, last_seq from streams where name = any($1)")
            {
                Parameters = { new NpgsqlParameter<string[]> { TypedValue = [.. events.Select(static item => item.Stream).Distinct()] } },
            });

            // One look-up by key each, whatever the planner thinks of the number of rows. What was deleted is settled, too.
            batch.BatchCommands.Add(new NpgsqlBatchCommand(
                """
                select (asked.number - 1)::int
                from unnest($1::text[], $2::bigint[], $3::bigint[], $4::date[]) with ordinality as asked(stream, epoch, seq, day, number)
                left join lateral (
                    select true as yes from events e
                    where e.stream = asked.stream and e.epoch = asked.epoch and e.seq = asked.seq and e.day = asked.day limit 1
                ) stored on true
                left join event_aliases a on a.stream = asked.stream and a.epoch = asked.epoch and a.seq = asked.seq
                left join dead_events d on d.stream = asked.stream and d.epoch = asked.epoch and d.seq = asked.seq
                left join deletions x on x.stream = asked.stream and (asked.epoch, asked.seq) <= (x.epoch, x.seq)
                where stored.yes or a.seq is not null or d.seq is not null or x.seq is not null
                """)
            {
                Parameters =
                {
                    new NpgsqlParameter<string[]> { TypedValue = [.. events.Select(static item => item.Stream)] },
                    new NpgsqlParameter<long[]> { TypedValue = [.. events.Select(static item => item.Position.Epoch)] },
                    new NpgsqlParameter<long[]> { TypedValue = [.. events.Select(static item => item.Position.Sequence)] },
                    new NpgsqlParameter<DateOnly[]>
                    {
                        TypedValue = [.. events.Select(static item => DateOnly.FromDateTime(
                            DateTimeOffset.FromUnixTimeMilliseconds(item.RecordedAt).UtcDateTime))],
                    },
                },
            });
            var last = new Dictionary<string, StreamPosition>(StringComparer.Ordinal);
            var archived = new HashSet<int>();
            await using var reader = await batch.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                last[reader.GetString(0)] = new StreamPosition(reader.GetInt64(1), reader.GetInt64(2));
            }

            await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                archived.Add(reader.GetInt32(0));
            }

            return new ArchivedEvents(archived, last);
        },
        ArchivedEvents.None);

    /// <summary>
    /// Positions after one and up to another whose event is stored at another, because it was appended again after a fault; oldest
    /// first.
    /// </summary>
    public Task<MovedEvent[]> ReadMovedAsync(
        string stream, StreamPosition after, StreamPosition upTo, int count, CancellationToken cancellationToken) => TolerantAsync(
        async () =>
        {
            await using var command = _dataSource.CreateCommand(
                $"""
                select {string.Join(", ", EventColumns.Split(", ").Select(static column => "e." + column))}, a.epoch, a.seq, a.at_epoch, a.at_seq
                from event_aliases a left join events e on e.stream = a.stream and e.epoch = a.at_epoch and e.seq = a.at_seq
                where a.stream = $1 and (a.epoch, a.seq) > ($2, $3) and (a.epoch, a.seq) <= ($4, $5)
                order by a.epoch, a.seq limit $6
                """);
            command.Parameters.Add(Text(stream));
            AddPosition(command.Parameters, after);
            AddPosition(command.Parameters, upTo);
            command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = count });
            var codec = new ArchivedEventCodec();
            var moved = new List<MovedEvent>();
            await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                moved.Add(new MovedEvent(
                    new StreamPosition(reader.GetInt64(13), reader.GetInt64(14)),
                    new StreamPosition(reader.GetInt64(15), reader.GetInt64(16)),
                    reader.IsDBNull(0) ? null : ReadEvent(reader, codec)));
            }

            return moved.ToArray();
        },
        []);

    private Task<IReadOnlyList<ArchiveKnowledge>> LookUpTogetherAsync(IReadOnlyList<LookedUp> asked, CancellationToken cancellationToken) =>
        TolerantAsync<IReadOnlyList<ArchiveKnowledge>>(
            async () =>
            {
                var connection = await _dataSource.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
                await using var closing = connection.ConfigureAwait(false);
                await using var batch = new NpgsqlBatch(connection);
                batch.BatchCommands.Add(new NpgsqlBatchCommand(
                    "select name, last_epoch, last_seq, end_state, end_type, deleted_at from streams where name = any($1)")
                {
                    Parameters = { new NpgsqlParameter<string[]> { TypedValue = [.. asked.Select(static item => item.Stream)] } },
                });
                var withIds = new List<int>();
                for (var index = 0; index < asked.Count; index++)
                {
                    if (KnownIdsCommand(asked[index].Stream, asked[index].Events) is { } ids)
                    {
                        withIds.Add(index);
                        batch.BatchCommands.Add(ids);
                    }
                }

                await using var reader = await batch.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
                var streams = new Dictionary<string, ArchiveKnowledge>(StringComparer.Ordinal);
                while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                {
                    // A stream that was deleted from the hot log has begun anew there; its end was the predecessor's.
                    var isDeleted = !reader.IsDBNull(5);
                    streams[reader.GetString(0)] = new ArchiveKnowledge(
                        new StreamPosition(reader.GetInt64(1), reader.GetInt64(2)),
                        isDeleted || reader.IsDBNull(3) ? null : reader.GetString(3),
                        isDeleted || reader.IsDBNull(4) ? null : reader.GetString(4),
                        []);
                }

                var answers = new ArchiveKnowledge[asked.Count];
                for (var index = 0; index < answers.Length; index++)
                {
                    answers[index] = streams.GetValueOrDefault(asked[index].Stream, ArchiveKnowledge.Nothing);
                }

                foreach (var index in withIds)
                {
                    await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
                    var known = new List<KeyValuePair<int, StreamPosition>>();
                    while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                    {
                        known.Add(KeyValuePair.Create(reader.GetInt32(0), new StreamPosition(reader.GetInt64(1), reader.GetInt64(2))));
                    }

                    answers[index] = answers[index] with { Known = known };
                }

                return answers;
            },
            [.. asked.Select(static _ => ArchiveKnowledge.Nothing)]);

    private static NpgsqlBatchCommand? KnownIdsCommand(string stream, IReadOnlyList<AppendEvent> events)
    {
        var indexes = new List<int>(events.Count);
        var ids = new List<string>(events.Count);
        var sources = new List<string>(events.Count);
        var escaped = new List<short>(events.Count);
        for (var index = 0; index < events.Count; index++)
        {
            var item = events[index];
            if (item.IdGenerated)
            {
                continue;
            }

            var escape = item.Id.Contains('\0', StringComparison.Ordinal) || item.Source.Contains('\0', StringComparison.Ordinal);
            indexes.Add(index);
            ids.Add(escape ? ArchivedEventCodec.Escape(item.Id) : item.Id);
            sources.Add(escape ? ArchivedEventCodec.Escape(item.Source) : item.Source);
            escaped.Add(escape ? ArchivedEvent.EscapedText : (short)0);
        }

        // The days come from the streams row when the query runs, so that only the partitions of the stream's own days are read.
        return indexes.Count == 0
            ? null
            : new NpgsqlBatchCommand(
                $"""
                with recent as materialized (
                    select epoch, seq, event_id, source, flags from events
                    where stream = $1
                        and day >= (select first_day from streams where name = $1)
                        and day <= (select last_day from streams where name = $1)
                    order by epoch desc, seq desc limit {LookUpDepth}
                )
                select distinct on (asked.index) asked.index, recent.epoch, recent.seq
                from unnest($2::int[], $3::text[], $4::text[], $5::smallint[]) as asked(index, id, source, escaped)
                join recent on recent.event_id = asked.id and recent.source = asked.source and recent.flags & {ArchivedEvent.EscapedText} = asked.escaped
                order by asked.index, recent.epoch, recent.seq
                """)
            {
                Parameters =
                {
                    Text(stream),
                    new NpgsqlParameter<int[]> { TypedValue = [.. indexes], NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Integer },
                    new NpgsqlParameter<string[]> { TypedValue = [.. ids], NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text },
                    new NpgsqlParameter<string[]> { TypedValue = [.. sources], NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text },
                    new NpgsqlParameter<short[]> { TypedValue = [.. escaped], NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Smallint },
                },
            };
    }

    private Task<StoredEvent[]> ReadEventsAsync(
        string stream, string sql, StreamPosition position, int count, CancellationToken cancellationToken) => TolerantAsync(
        async () =>
        {
            await using var connection = await _dataSource.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
            if (await ReadDaysAsync(connection, stream, cancellationToken).ConfigureAwait(false) is not { } days)
            {
                return [];
            }

            // Not prepared: the planner must see the days to leave all other partitions alone.
            await using var command = new NpgsqlCommand(sql, connection);
            command.Parameters.Add(Text(stream));
            command.Parameters.Add(new NpgsqlParameter<DateOnly> { TypedValue = days.First });
            command.Parameters.Add(new NpgsqlParameter<DateOnly> { TypedValue = days.Last });
            AddPosition(command.Parameters, position);
            command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = count });
            var codec = new ArchivedEventCodec();
            var events = new List<StoredEvent>(Math.Min(count, 1000));
            await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                events.Add(ReadEvent(reader, codec));
            }

            return events.ToArray();
        },
        []);

    private static async Task<(DateOnly First, DateOnly Last)?> ReadDaysAsync(
        NpgsqlConnection connection, string stream, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("select first_day, last_day from streams where name = $1", connection);
        command.Parameters.Add(Text(stream));
        await using var reader = await command.ExecuteReaderAsync(CommandBehavior.SingleRow, cancellationToken).ConfigureAwait(false);
        return await reader.ReadAsync(cancellationToken).ConfigureAwait(false)
            ? (reader.GetFieldValue<DateOnly>(0), reader.GetFieldValue<DateOnly>(1))
            : null;
    }

    private static StoredEvent ReadEvent(NpgsqlDataReader reader, ArchivedEventCodec codec)
    {
        var row = new ArchivedEvent
        {
            Type = Bytes(reader, 5),
            Flags = reader.GetInt16(6),
            Id = Bytes(reader, 7),
            Source = Bytes(reader, 8),
            Time = reader.IsDBNull(9) ? null : Microseconds(reader, 9),
            Attributes = reader.IsDBNull(10) ? default : Bytes(reader, 10),
            DataKind = (ArchivedDataKind)reader.GetInt16(11),
            Data = reader.IsDBNull(12) ? default : reader.GetFieldValue<byte[]>(12),
        };
        return new StoredEvent(
            new StreamPosition(reader.GetInt64(0), reader.GetInt64(1)),
            PostgresTime.ToUnixMilliseconds(Microseconds(reader, 2)),
            codec.Join(row),
            reader.IsDBNull(3) ? null : new StreamPosition(reader.GetInt64(3), reader.GetInt64(4)));
    }

    private static ArchivedStream ReadStream(NpgsqlDataReader reader) => new(
        reader.GetString(0),
        new StreamPosition(reader.GetInt64(1), reader.GetInt64(2)),
        new StreamPosition(reader.GetInt64(3), reader.GetInt64(4)),
        reader.GetInt64(5),
        reader.IsDBNull(6) ? null : reader.GetString(6),
        reader.IsDBNull(7) ? null : reader.GetString(7),
        reader.GetFieldValue<DateTimeOffset>(8))
    {
        DeletedAt = reader.IsDBNull(9) ? null : reader.GetFieldValue<DateTimeOffset>(9),
    };

    private static byte[] Bytes(NpgsqlDataReader reader, int column) => reader.GetFieldValue<byte[]>(column);

    /// <summary>A timestamptz as PostgreSQL counts it; exact, where DateTime would also do but read less plainly.</summary>
    private static long Microseconds(NpgsqlDataReader reader, int column) =>
        PostgresTime.FromTicks(reader.GetFieldValue<DateTime>(column).Ticks);

    private static NpgsqlParameter<string> Text(string value) => new() { TypedValue = value, NpgsqlDbType = NpgsqlDbType.Text };

    private static void AddPosition(NpgsqlParameterCollection parameters, StreamPosition position)
    {
        parameters.Add(new NpgsqlParameter<long> { TypedValue = position.Epoch });
        parameters.Add(new NpgsqlParameter<long> { TypedValue = position.Sequence });
    }

    private static async Task<T> TolerantAsync<T>(Func<Task<T>> read, T whenMissing)
    {
        try
        {
            return await read().ConfigureAwait(false);
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.UndefinedTable)
        {
            return whenMissing;
        }
    }

    /// <param name="Stream">The stream.</param>
    /// <param name="Events">Those to look for.</param>
    private readonly record struct LookedUp(string Stream, IReadOnlyList<AppendEvent> Events);
}
