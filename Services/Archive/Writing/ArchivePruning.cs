using Npgsql;

namespace AspireStreaming.Archive.Writing;

/// <summary>Forgets what the archive notes beside events, once nothing can ask for it. Safe beside other replicas.</summary>
internal sealed class ArchivePruning(NpgsqlDataSource dataSource)
{
    private const int Batch = 10_000;

    /// <summary>Forgets aliases whose events are dropped by retention: what they explain is gone with the days before.</summary>
    /// <returns>Number of rows.</returns>
    public Task<long> ForgetAliasesAsync(DateTimeOffset before, CancellationToken cancellationToken) => DeleteAsync(
        "delete from event_aliases where ctid = any(array(select ctid from event_aliases where recorded_at < $1 limit $2))", before, cancellationToken);

    /// <summary>Forgets that streams were deleted: a hot log from before that is not brought back any more.</summary>
    /// <returns>Number of rows.</returns>
    public Task<long> ForgetDeletionsAsync(DateTimeOffset before, CancellationToken cancellationToken) => DeleteAsync(
        "delete from deletions where ctid = any(array(select ctid from deletions where deleted_at < $1 limit $2))", before, cancellationToken);

    private async Task<long> DeleteAsync(string sql, DateTimeOffset before, CancellationToken cancellationToken)
    {
        var forgotten = 0L;
        while (true)
        {
#pragma warning disable CA2100 // One of two constants.
            await using var command = dataSource.CreateCommand(sql);
#pragma warning restore CA2100
            command.Parameters.Add(new NpgsqlParameter<DateTime> { TypedValue = before.UtcDateTime });
            command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = Batch });
            var rows = await command.ExecuteNonQueryAsync(cancellationToken);
            forgotten += rows;
            if (rows < Batch)
            {
                return forgotten;
            }
        }
    }
}
