using AspireStreaming.Streaming.Contracts;
using Npgsql;
using NpgsqlTypes;

namespace AspireStreaming.Archive.Writing;

/// <summary>
/// One replica's claims on partitions. A claim lasts as long as its lease is renewed; the fence, which rises with each claim and is
/// checked by every commit, is what makes a late owner harmless. All times are the database's.
/// </summary>
/// <remarks>Rows that a commit holds are skipped, not waited for: a commit renews the leases of its partitions itself.</remarks>
internal sealed class PartitionLeases(NpgsqlDataSource dataSource, string owner, TimeSpan duration)
{
    /// <summary>Names this replica in <c>partitions</c> and <c>archivers</c>.</summary>
    public string Owner { get; } = owner;

    /// <summary>How long a claim lasts without renewal.</summary>
    public TimeSpan Duration { get; } = duration;

    /// <summary>Reports this replica alive and renews its leases.</summary>
    /// <returns>Its partitions, and how many replicas are alive, this one included.</returns>
    public async Task<(IReadOnlyList<PartitionLease> Owned, int Replicas)> RenewAsync(CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var batch = new NpgsqlBatch(connection);
        batch.BatchCommands.Add(Command(
            """
            insert into archivers (owner, lease_until) values ($1, clock_timestamp() + $2)
            on conflict (owner) do update set lease_until = excluded.lease_until
            """));
        batch.BatchCommands.Add(new NpgsqlBatchCommand("delete from archivers where lease_until < clock_timestamp() - interval '1 hour'"));
        batch.BatchCommands.Add(Command(
            """
            with mine as (select partition from partitions where owner = $1 for update skip locked)
            update partitions p set lease_until = clock_timestamp() + $2 from mine where p.partition = mine.partition
            """));
        batch.BatchCommands.Add(new NpgsqlBatchCommand("select count(*) from archivers where lease_until > clock_timestamp()"));
        batch.BatchCommands.Add(new NpgsqlBatchCommand("select partition, fence, watermark_epoch, watermark_seq from partitions where owner = $1")
        {
            Parameters = { Text(Owner) },
        });
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        var replicas = (int)reader.GetInt64(0);
        await reader.NextResultAsync(cancellationToken);
        var owned = new List<PartitionLease>();
        while (await reader.ReadAsync(cancellationToken))
        {
            owned.Add(ReadLease(reader));
        }

        return (owned, Math.Max(replicas, 1));
    }

    /// <summary>Claims partitions that nobody owns or whose lease has ended.</summary>
    /// <returns>The claims, each with whether it was taken over from an owner that did not release it.</returns>
    public async Task<IReadOnlyList<(PartitionLease Lease, bool TakenOver)>> ClaimAsync(int atMost, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand(
            """
            with free as (
                select partition, owner from partitions
                where (owner is null or lease_until < clock_timestamp()) and owner is distinct from $1
                order by random() limit $3 for update skip locked
            )
            update partitions p set owner = $1, fence = p.fence + 1, lease_until = clock_timestamp() + $2
            from free where p.partition = free.partition
            returning p.partition, p.fence, p.watermark_epoch, p.watermark_seq, free.owner is not null
            """);
        command.Parameters.Add(Text(Owner));
        command.Parameters.Add(Interval());
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = atMost });
        var claims = new List<(PartitionLease, bool)>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            claims.Add((ReadLease(reader), reader.GetBoolean(4)));
        }

        return claims;
    }

    /// <summary>Gives partitions up, so that others need not wait for the lease to end.</summary>
    public async Task ReleaseAsync(IReadOnlyCollection<PartitionLease> leases, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand(
            """
            update partitions p set owner = null, lease_until = '-infinity'
            from unnest($2::smallint[], $3::bigint[]) as given(partition, fence)
            where p.partition = given.partition and p.fence = given.fence and p.owner = $1
            """);
        command.Parameters.Add(Text(Owner));
        command.Parameters.Add(new NpgsqlParameter<short[]>
        {
            TypedValue = [.. leases.Select(lease => (short)lease.Partition)],
            NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Smallint,
        });
        command.Parameters.Add(new NpgsqlParameter<long[]>
        {
            TypedValue = [.. leases.Select(lease => lease.Fence)],
            NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Bigint,
        });
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>Gives everything up and reports this replica gone.</summary>
    public async Task LeaveAsync(CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var batch = new NpgsqlBatch(connection);
        batch.BatchCommands.Add(new NpgsqlBatchCommand("update partitions set owner = null, lease_until = '-infinity' where owner = $1")
        {
            Parameters = { Text(Owner) },
        });
        batch.BatchCommands.Add(new NpgsqlBatchCommand("delete from archivers where owner = $1") { Parameters = { Text(Owner) } });
        await batch.ExecuteNonQueryAsync(cancellationToken);
    }

    private static PartitionLease ReadLease(NpgsqlDataReader reader) =>
        new(reader.GetInt16(0), reader.GetInt64(1), new StreamPosition(reader.GetInt64(2), reader.GetInt64(3)));

    private static NpgsqlParameter<string> Text(string value) => new() { TypedValue = value, NpgsqlDbType = NpgsqlDbType.Text };

    private NpgsqlBatchCommand Command(string sql) => new(sql) { Parameters = { Text(Owner), Interval() } };

    private NpgsqlParameter<TimeSpan> Interval() => new() { TypedValue = Duration, NpgsqlDbType = NpgsqlDbType.Interval };
}
