using Npgsql;

namespace AspireStreaming.Archive.Writing;

/// <summary>Which way a batch's rows took.</summary>
internal enum ArchivePath
{
    /// <summary>COPY straight into the table.</summary>
    Direct,

    /// <summary>COPY into a temporary table, then INSERT of what is not there yet.</summary>
    Staged,

    /// <summary>As <see cref="Staged"/>, halved around each row that the table refuses.</summary>
    Careful,
}

/// <summary>How a commit ended.</summary>
/// <param name="Lost">Partitions that have another owner by now; if there are any, nothing was committed.</param>
/// <param name="Path">Which way the rows took.</param>
/// <param name="Inserted">Rows that are in the archive now and were not before.</param>
/// <param name="Dead">Events that went to <c>dead_events</c>.</param>
internal sealed record CommitResult(IReadOnlyList<int> Lost, ArchivePath Path, long Inserted, IReadOnlyList<DeadEvent> Dead);

/// <summary>
/// Commits batches: fences, rows, streams, deletions and watermarks, all in one transaction. After any failure the same batch can be
/// committed again; what a lost answer had committed already is met as a key violation and goes through staging.
/// </summary>
/// <remarks>Keeps one connection with prepared commands; belongs to one thread at a time.</remarks>
internal sealed class ArchiveWriter(NpgsqlDataSource dataSource, DayPartitions days, string owner, TimeSpan leaseDuration) : IAsyncDisposable
{
    private CommitSession? _session;

    /// <summary>Commits a batch, once; the caller tries again after a failure that is an outage.</summary>
    /// <exception cref="NpgsqlException">The database is away or refuses for a reason that is not one of the rows.</exception>
    public async Task<CommitResult> CommitAsync(ArchiveBatch batch, CancellationToken cancellationToken)
    {
        await days.EnsureAsync(batch.Days, cancellationToken);
        var path = batch.Replays ? ArchivePath.Staged : ArchivePath.Direct;
        while (true)
        {
            try
            {
                return await CommitAsync(batch, path, cancellationToken);
            }
            catch (PostgresException exception) when (path == ArchivePath.Direct && exception.SqlState == PostgresErrorCodes.UniqueViolation)
            {
                path = ArchivePath.Staged;
            }
            catch (PostgresException exception) when (path != ArchivePath.Careful && PostgresFaults.IsRowFault(exception))
            {
                // A missing day partition looks like a bad row; another replica's retention may have dropped it just now.
                days.Forget();
                await days.EnsureAsync(batch.Days, cancellationToken);
                path = ArchivePath.Careful;
            }
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => DropSessionAsync();

    private async Task<CommitResult> CommitAsync(ArchiveBatch batch, ArchivePath path, CancellationToken cancellationToken)
    {
        var session = _session ??= await CommitSession.OpenAsync(dataSource, cancellationToken);
        try
        {
            await using var transaction = await session.Connection.BeginTransactionAsync(cancellationToken);
            var result = await WriteAsync(session, transaction, batch, path, cancellationToken);
            if (result.Lost.Count == 0)
            {
                await transaction.CommitAsync(cancellationToken);
            }
            else
            {
                await transaction.RollbackAsync(cancellationToken);
            }

            return result;
        }
        catch (PostgresException exception) when (PostgresFaults.IsRowFault(exception))
        {
            // Rolled back; the connection is as good as before.
            throw;
        }
        catch
        {
            await DropSessionAsync();
            throw;
        }
    }

    private async Task<CommitResult> WriteAsync(
        CommitSession session, NpgsqlTransaction transaction, ArchiveBatch batch, ArchivePath path, CancellationToken cancellationToken)
    {
        // First, so that a new owner waits for this commit and this one for nobody.
        var lost = await session.AdvanceAsync(batch.Partitions, owner, leaseDuration, cancellationToken);
        if (lost.Count > 0)
        {
            return new CommitResult(lost, path, 0, []);
        }

        List<DeadEvent> dead = [.. batch.Damaged];
        var inserted = 0L;
        foreach (var tally in batch.Streams.Values)
        {
            tally.Inserted = path == ArchivePath.Direct ? tally.Rows : 0;
        }

        if (path == ArchivePath.Direct)
        {
            await session.CopyAsync("events", batch.Rows, 0, batch.Rows.Count, cancellationToken);
            inserted = batch.Rows.Count;
        }
        else
        {
            await session.PrepareStagingAsync(cancellationToken);
            inserted = path == ArchivePath.Staged
                ? await session.StageAsync(batch, 0, batch.Rows.Count, more: false, cancellationToken)
                : await HalveAsync(session, transaction, batch, 0, batch.Rows.Count, dead, cancellationToken);
        }

        await session.BuryAsync(dead, cancellationToken);
        foreach (var repeated in batch.Repeated)
        {
            inserted -= await session.ResolveAsync(repeated, batch.Streams[repeated.Stream], cancellationToken);
        }

        inserted -= await session.ForgetDeletedAsync(batch.Streams, cancellationToken);
        await session.TallyAsync(batch.Streams, cancellationToken);
        foreach (var deletion in batch.Deletions)
        {
            await session.DeleteAsync(deletion, cancellationToken);
        }

        return new CommitResult([], path, inserted, dead);
    }

    /// <summary>Inserts a range of rows; where the table refuses, each half by itself, down to the rows at fault.</summary>
    private static async Task<long> HalveAsync(
        CommitSession session,
        NpgsqlTransaction transaction,
        ArchiveBatch batch,
        int from,
        int to,
        List<DeadEvent> dead,
        CancellationToken cancellationToken)
    {
        const string Savepoint = "rows";
        if (from == to)
        {
            return 0;
        }

        await transaction.SaveAsync(Savepoint, cancellationToken);
        PostgresException fault;
        try
        {
            var inserted = await session.StageAsync(batch, from, to, more: true, cancellationToken);
            await transaction.ReleaseAsync(Savepoint, cancellationToken);
            return inserted;
        }
        catch (PostgresException exception) when (PostgresFaults.IsRowFault(exception))
        {
            fault = exception;
        }

        await transaction.RollbackAsync(Savepoint, cancellationToken);
        await transaction.ReleaseAsync(Savepoint, cancellationToken);
        if (to - from == 1)
        {
            var (stream, stored) = batch.Events[from];
            var frame = stored.Frame;
            dead.Add(new DeadEvent(
                stream, stored.Position, stored.RecordedAt, frame.TypeName(), frame.Flags, fault.SqlState, fault.MessageText, frame.Bytes));
            return 0;
        }

        var middle = from + ((to - from) / 2);
        return await HalveAsync(session, transaction, batch, from, middle, dead, cancellationToken)
            + await HalveAsync(session, transaction, batch, middle, to, dead, cancellationToken);
    }

    private async ValueTask DropSessionAsync()
    {
        if (_session is { } session)
        {
            _session = null;
            await session.DisposeAsync();
        }
    }
}
