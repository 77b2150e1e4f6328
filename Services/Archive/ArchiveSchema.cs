using System.Globalization;
using System.Reflection;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace AspireStreaming.Archive;

/// <summary>Brings the archive's database to the schema that this program knows.</summary>
public sealed class ArchiveSchema(NpgsqlDataSource dataSource, ILogger<ArchiveSchema> logger)
{
    /// <summary>Names the advisory lock under which schema and day partitions change; any number that nothing else uses.</summary>
    internal const long AdvisoryLock = 0x4152_4348_4956_4500;

    /// <summary>Applies, in order and in one transaction, the numbered files that the database has not seen. Replicas may call it at once.</summary>
    /// <exception cref="NpgsqlException">The database is away or refuses.</exception>
    public async Task MigrateAsync(CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        await using (var alone = new NpgsqlCommand("select pg_advisory_xact_lock($1)", connection, transaction)
        {
            Parameters = { new NpgsqlParameter<long> { TypedValue = AdvisoryLock } },
        })
        {
            await alone.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }

        var applied = await ReadAppliedAsync(connection, cancellationToken).ConfigureAwait(false);
        foreach (var (number, name) in Migrations())
        {
            if (applied.Contains(number))
            {
                continue;
            }

            await using (var note = new NpgsqlCommand("insert into schema_migrations (number, name) values ($1, $2)", connection, transaction)
            {
                Parameters = { new NpgsqlParameter<int> { TypedValue = number }, new NpgsqlParameter<string> { TypedValue = name } },
            })
            {
                await note.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
            }

#pragma warning disable CA2100 // The text is a resource of this assembly.
            await using (var script = new NpgsqlCommand(Read(name), connection, transaction))
            {
                await script.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
            }
#pragma warning restore CA2100

            ArchiveLog.Migrated(logger, name);
        }

        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
    }

    private static async Task<HashSet<int>> ReadAppliedAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            """
            create table if not exists schema_migrations (
                number int primary key,
                name text not null,
                applied_at timestamptz not null default now()
            );
            select number from schema_migrations;
            """,
            connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var applied = new HashSet<int>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            applied.Add(reader.GetInt32(0));
        }

        return applied;
    }

    private static IEnumerable<(int Number, string Name)> Migrations() =>
        from name in Assembly.GetExecutingAssembly().GetManifestResourceNames()
        where name.EndsWith(".sql", StringComparison.Ordinal)
        orderby name
        select (int.Parse(name.AsSpan(0, 4), NumberStyles.None, CultureInfo.InvariantCulture), name);

    private static string Read(string name)
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(name)!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
