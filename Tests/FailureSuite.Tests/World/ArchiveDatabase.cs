using AspireStreaming.SystemSupport;
using AspireStreaming.TestSupport;
using AspireStreaming.TestSupport.Histories;
using Npgsql;

namespace AspireStreaming.FailureSuite.Tests.World;

/// <summary>The archive's database from behind: what is in it, and the faults that only its superuser can make.</summary>
internal sealed class ArchiveDatabase(PostgresProcess server) : IAsyncDisposable
{
    /// <summary>The database, as AppHost names it.</summary>
    public const string Name = "events";

    // Connection limits do not hold for superusers, so the services are none.
    private const string Role = "archive_owner";
    private const string Password = "archive-owner-test";

    private static readonly TimeSpan RetryPause = TimeSpan.FromMilliseconds(200);

    /// <summary>Longer than any scenario keeps the server away.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    // Not pooled: a pooled connection of before a fault would bring the fault into the judgement.
    private readonly NpgsqlDataSource _source = NpgsqlDataSource.Create(
        new NpgsqlConnectionStringBuilder(server.ConnectionString) { Database = Name, Pooling = false, Timeout = 5 }.ConnectionString);

    /// <summary>Creates the database and the role that the services use.</summary>
    public static async Task<ArchiveDatabase> CreateAsync(PostgresProcess server, CancellationToken cancellationToken)
    {
        await server.CreateDatabaseAsync(Name, cancellationToken);
        var database = new ArchiveDatabase(server);
        await database.ExecuteAsync($"create role {Role} login password '{Password}'; alter database {Name} owner to {Role}; grant all on schema public to {Role}", cancellationToken);
        return database;
    }

    /// <summary>What a service connects with, through a link.</summary>
    public static string ConnectionString(int port) => new NpgsqlConnectionStringBuilder
    {
        Host = "127.0.0.1",
        Port = port,
        Username = Role,
        Password = Password,
        Database = Name,
    }.ConnectionString;

    public ValueTask DisposeAsync() => _source.DisposeAsync();

    /// <summary>Every row of these streams; events that the table refused count as present.</summary>
    public async Task<IReadOnlyCollection<ArchivedRow>> ReadAsync(IEnumerable<string> streams, CancellationToken cancellationToken)
    {
        await using var command = _source.CreateCommand(
            """
            select stream, epoch, seq, coalesce(attributes ->> 'subject', event_id) from events where stream = any($1)
            union all
            select stream, epoch, seq, substring(encode(frame, 'escape') from '"id":"([^"]*)"') from dead_events where stream = any($1)
            """);
        command.Parameters.AddWithValue(streams.ToArray());
        var rows = new List<ArchivedRow>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            rows.Add(new ArchivedRow(reader.GetString(0), new LogPosition((ulong)reader.GetInt64(1), (ulong)reader.GetInt64(2)), reader.GetString(3)));
        }

        return rows;
    }

    /// <summary>How many rows the streams have whose names begin so, and how many positions; dead events count, too.</summary>
    public async Task<(long Rows, long Positions)> CountAsync(string prefix, CancellationToken cancellationToken)
    {
        await using var command = _source.CreateCommand(
            """
            select count(*), count(distinct (stream, epoch, seq)) from (
                select stream, epoch, seq from events where starts_with(stream, $1)
                union all
                select stream, epoch, seq from dead_events where starts_with(stream, $1)) as places
            """);
        command.Parameters.AddWithValue(prefix);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        return (reader.GetInt64(0), reader.GetInt64(1));
    }

    /// <summary>How many events of these streams went to <c>dead_events</c>.</summary>
    public Task<long> CountDeadAsync(IEnumerable<string> streams, CancellationToken cancellationToken) => PatientlyAsync(
        async () =>
        {
            await using var command = _source.CreateCommand("select count(*) from dead_events where stream = any($1)");
            command.Parameters.AddWithValue(streams.ToArray());
            return (long)(await command.ExecuteScalarAsync(cancellationToken))!;
        },
        cancellationToken);

    /// <summary>No more than this many connections of the services, and none of those that they have.</summary>
    public Task LimitConnectionsAsync(int limit, CancellationToken cancellationToken) => ExecuteAsync(
        $"alter role {Role} connection limit {limit}; select pg_terminate_backend(pid) from pg_stat_activity where usename = '{Role}'", cancellationToken);

    /// <summary>Every insert of events fails as on a full disk.</summary>
    public Task FillDiskAsync(CancellationToken cancellationToken) => ExecuteAsync(
        """
        create or replace function fault_disk_full() returns trigger language plpgsql as
        $$ begin raise exception 'could not extend file: No space left on device' using errcode = '53100'; end $$;
        create or replace trigger fault_disk_full before insert on events for each statement execute function fault_disk_full()
        """,
        cancellationToken);

    /// <summary>Every commit that moves a watermark takes so much longer for each partition in it.</summary>
    public Task SlowCommitsAsync(CancellationToken cancellationToken) => ExecuteAsync(
        """
        create or replace function fault_slow() returns trigger language plpgsql as $$ begin perform pg_sleep(0.25); return null; end $$;
        drop trigger if exists fault_slow on partitions;
        create constraint trigger fault_slow after update of watermark_seq on partitions deferrable initially deferred
        for each row execute function fault_slow()
        """,
        cancellationToken);

    /// <summary>Events of this type are refused as bad rows.</summary>
    public Task PoisonAsync(string type, CancellationToken cancellationToken) => ExecuteAsync(
        $$"""
        create or replace function fault_poison() returns trigger language plpgsql as
        $f$ begin if new.type = '{{type}}' then raise exception 'poisoned' using errcode = '23514'; end if; return new; end $f$;
        create or replace trigger fault_poison before insert on events for each row execute function fault_poison()
        """,
        cancellationToken);

    /// <summary>Undoes all of it.</summary>
    public Task MendAsync(CancellationToken cancellationToken) => ExecuteAsync(
        $"""
        alter role {Role} connection limit -1;
        drop trigger if exists fault_disk_full on events;
        drop trigger if exists fault_slow on partitions;
        drop trigger if exists fault_poison on events
        """,
        cancellationToken);

    /// <summary>Again while the server is away: another fault may keep it so.</summary>
    private static async Task<T> PatientlyAsync<T>(Func<Task<T>> ask, CancellationToken cancellationToken)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                return await ask();
            }
            catch (NpgsqlException) when (TimeProvider.System.GetElapsedTime(started) < Patience)
            {
                await Pause.ForAsync(RetryPause, cancellationToken);
            }
        }
    }

    /// <summary>Runs statements.</summary>
    private Task<int> ExecuteAsync(string sql, CancellationToken cancellationToken) => PatientlyAsync(
        async () =>
        {
            // The statements are this class's own.
#pragma warning disable CA2100
            await using var command = _source.CreateCommand(sql);
#pragma warning restore CA2100
            return await command.ExecuteNonQueryAsync(cancellationToken);
        },
        cancellationToken);
}
