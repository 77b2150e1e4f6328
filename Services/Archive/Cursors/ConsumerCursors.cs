using AspireStreaming.Streaming.Contracts;
using Npgsql;
using NpgsqlTypes;

namespace AspireStreaming.Archive.Cursors;

/// <summary>
/// Consumers' places in streams, kept in the archive's database. Thread-safe. Where the database is away, or has not been brought to
/// this program's schema yet, the exceptions of Npgsql come through.
/// </summary>
public sealed class ConsumerCursors(NpgsqlDataSource dataSource)
{
    /// <summary>Makes the caller the holder of a cursor; whoever held it before is not any more.</summary>
    public async Task<CursorClaim> ClaimAsync(CursorKey key, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand(
            """
            insert into cursors (principal, name, stream) values ($1, $2, $3)
            on conflict (principal, name, stream) do update set fence = cursors.fence + 1, updated_at = now()
            returning fence, epoch, seq
            """);
        command.Parameters.Add(Text(key.Principal));
        command.Parameters.Add(Text(key.Name));
        command.Parameters.Add(Text(key.Stream));
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        StreamPosition? position = await reader.IsDBNullAsync(1, cancellationToken).ConfigureAwait(false)
            ? null
            : new StreamPosition(reader.GetInt64(1), reader.GetInt64(2));
        return new CursorClaim(key, reader.GetInt64(0), position);
    }

    /// <summary>Stores positions, each if its claim still holds.</summary>
    /// <param name="claims">The claims with their new positions; a null position stores nothing and only asks.</param>
    /// <param name="cancellationToken">Ends waiting; the positions may be stored or not.</param>
    /// <returns>Indexes of the claims that still hold.</returns>
    public async Task<IReadOnlySet<int>> StoreAsync(IReadOnlyList<CursorClaim> claims, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(claims);

        // Rows are locked in one order by all replicas, so that two of them cannot wait for each other.
        var order = Enumerable.Range(0, claims.Count).ToArray();
        System.Array.Sort(order, (left, right) => Compare(claims[left].Key, claims[right].Key));
        await using var command = dataSource.CreateCommand(
            """
            with given as (
                select * from unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[])
                    as given(index, principal, name, stream, fence, epoch, seq)
            ), held as (
                select given.* from given join cursors c
                    on c.principal = given.principal and c.name = given.name and c.stream = given.stream and c.fence = given.fence
                order by given.index for update of c
            ), stored as (
                update cursors c set epoch = held.epoch, seq = held.seq, updated_at = now()
                from held where held.epoch is not null
                    and c.principal = held.principal and c.name = held.name and c.stream = held.stream and c.fence = held.fence
            )
            select index from held
            """);
        command.Parameters.Add(Array(NpgsqlDbType.Integer, order.Select((_, index) => index)));
        command.Parameters.Add(Array(NpgsqlDbType.Text, order.Select(index => claims[index].Key.Principal)));
        command.Parameters.Add(Array(NpgsqlDbType.Text, order.Select(index => claims[index].Key.Name)));
        command.Parameters.Add(Array(NpgsqlDbType.Text, order.Select(index => claims[index].Key.Stream)));
        command.Parameters.Add(Array(NpgsqlDbType.Bigint, order.Select(index => claims[index].Fence)));
        command.Parameters.Add(Array(NpgsqlDbType.Bigint, order.Select(index => claims[index].Position?.Epoch)));
        command.Parameters.Add(Array(NpgsqlDbType.Bigint, order.Select(index => claims[index].Position?.Sequence)));
        var holding = new HashSet<int>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            holding.Add(order[reader.GetInt32(0)]);
        }

        return holding;
    }

    /// <summary>Forgets the cursors that nobody has claimed or moved for long.</summary>
    /// <returns>How many those were.</returns>
    public async Task<int> ForgetAsync(TimeSpan untouched, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("delete from cursors where updated_at < now() - $1");
        command.Parameters.Add(new NpgsqlParameter<TimeSpan> { TypedValue = untouched, NpgsqlDbType = NpgsqlDbType.Interval });
        return await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    private static int Compare(in CursorKey left, in CursorKey right) =>
        string.CompareOrdinal(left.Principal, right.Principal) is var byPrincipal and not 0 ? byPrincipal
        : string.CompareOrdinal(left.Name, right.Name) is var byName and not 0 ? byName
        : string.CompareOrdinal(left.Stream, right.Stream);

    private static NpgsqlParameter<string> Text(string value) => new() { TypedValue = value, NpgsqlDbType = NpgsqlDbType.Text };

    private static NpgsqlParameter<T[]> Array<T>(NpgsqlDbType type, IEnumerable<T> values) =>
        new() { TypedValue = [.. values], NpgsqlDbType = NpgsqlDbType.Array | type };
}
