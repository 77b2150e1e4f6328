using System.Globalization;
using Npgsql;
using NpgsqlTypes;

namespace AspireStreaming.Archive.Writing;

/// <summary>Creates and drops the day partitions of <c>events</c>. Thread-safe, and safe beside other replicas.</summary>
internal sealed class DayPartitions(NpgsqlDataSource dataSource)
{
    /// <summary>Dropping waits no longer than this for readers, because everybody else then queues behind it.</summary>
    private const string DropLockTimeout = "2s";

    private readonly Lock _lock = new();
    private readonly HashSet<DateOnly> _present = [];

    /// <summary>Creates the partitions of the days that lack one.</summary>
    public async Task EnsureAsync(IReadOnlyCollection<DateOnly> days, CancellationToken cancellationToken)
    {
        if (Missing(days) is not { } missing)
        {
            return;
        }

        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await LockAsync(connection, cancellationToken);
        foreach (var day in missing)
        {
            // Attached rather than created as a partition: that would stop readers and writers of all other days for a moment.
            var table = TableName(day);
            await ExecuteAsync(
                connection,
                $"""
                do $$
                begin
                    if to_regclass('{table}') is null then
                        create table {table} (like events including all);
                        alter table events attach partition {table} for values from ('{Text(day)}') to ('{Text(day.AddDays(1))}');
                    end if;
                end
                $$
                """,
                cancellationToken);
        }

        await transaction.CommitAsync(cancellationToken);
        lock (_lock)
        {
            _present.UnionWith(missing);
        }
    }

    /// <summary>Forgets which partitions are there, for when the database says that one is not.</summary>
    public void Forget()
    {
        lock (_lock)
        {
            _present.Clear();
        }
    }

    /// <summary>Drops the partitions of all days before one, and what the streams table says of their events.</summary>
    /// <returns>Number of days dropped.</returns>
    public async Task<int> DropBeforeAsync(DateOnly firstKept, CancellationToken cancellationToken)
    {
        var dropped = 0;
        foreach (var day in await ListAsync(cancellationToken))
        {
            if (day >= firstKept)
            {
                break;
            }

            await DropAsync(day, cancellationToken);
            dropped++;
        }

        return dropped;
    }

    /// <summary>The days that have a partition, oldest first.</summary>
    public async Task<IReadOnlyList<DateOnly>> ListAsync(CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand(
            """
            select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
            where i.inhparent = 'events'::regclass and c.relname ~ '^events_[0-9]{8}$' order by 1
            """);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var days = new List<DateOnly>();
        while (await reader.ReadAsync(cancellationToken))
        {
            days.Add(DateOnly.ParseExact(reader.GetString(0)[7..], "yyyyMMdd", CultureInfo.InvariantCulture));
        }

        return days;
    }

    private async Task DropAsync(DateOnly day, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            _present.Remove(day);
        }

        var table = TableName(day);
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await LockAsync(connection, cancellationToken);
        await ExecuteAsync(connection, $"set local lock_timeout = '{DropLockTimeout}'", cancellationToken);
        await ExecuteAsync(
            connection,
            $"""
            delete from streams where last_day <= '{Text(day)}';
            update streams s
            set count = s.count - gone.rows,
                first_day = kept.day, first_epoch = kept.epoch, first_seq = kept.seq
            from (select stream, count(*) as rows from {table} group by stream) gone
            cross join lateral (
                select day, epoch, seq from events where stream = gone.stream and day > '{Text(day)}' order by epoch, seq limit 1
            ) kept
            where s.name = gone.stream;
            drop table {table};
            """,
            cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    private List<DateOnly>? Missing(IReadOnlyCollection<DateOnly> days)
    {
        List<DateOnly>? missing = null;
        lock (_lock)
        {
            foreach (var day in days)
            {
                if (!_present.Contains(day))
                {
                    (missing ??= []).Add(day);
                }
            }
        }

        return missing;
    }

    private static async Task LockAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("select pg_advisory_xact_lock($1)", connection);
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = ArchiveSchema.AdvisoryLock, NpgsqlDbType = NpgsqlDbType.Bigint });
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
#pragma warning disable CA2100 // Names and dates cannot be parameters here; both are made from a DateOnly.
        await using var command = new NpgsqlCommand(sql, connection);
#pragma warning restore CA2100
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private static string TableName(DateOnly day) => day.ToString("'events_'yyyyMMdd", CultureInfo.InvariantCulture);

    private static string Text(DateOnly day) => day.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
}
