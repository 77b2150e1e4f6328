using AspireStreaming.Streaming.Contracts;
using Npgsql;
using NpgsqlTypes;

namespace AspireStreaming.Archive;

/// <summary>
/// Finds a stream's first event recorded at a time or later. Positions, recorded times and days grow together, so the day of the
/// time is searched by halving over the key's own index, and no index by time is needed.
/// </summary>
internal static class TimeSearch
{
    /// <summary>Enough halvings for any two sequences, and then some for epochs.</summary>
    private const int MaxSteps = 128;

    /// <summary>The position just before the event found; null when there is none.</summary>
    public static async Task<StreamPosition?> FindAsync(
        NpgsqlConnection connection, string stream, DateTimeOffset recordedFrom, CancellationToken cancellationToken)
    {
        var day = DateOnly.FromDateTime(recordedFrom.UtcDateTime);
        var low = await ProbeAsync(connection, stream, day, "day = $2", "epoch, seq", null, cancellationToken).ConfigureAwait(false);
        if (low is { } first)
        {
            if (first.RecordedAt >= recordedFrom.UtcDateTime)
            {
                return Before(first.Position);
            }

            var high = await ProbeAsync(connection, stream, day, "day = $2", "epoch desc, seq desc", null, cancellationToken).ConfigureAwait(false);
            if (high is { } last && last.RecordedAt >= recordedFrom.UtcDateTime)
            {
                return Before(
                    await HalveAsync(connection, stream, day, recordedFrom, first.Position, last.Position, cancellationToken).ConfigureAwait(false));
            }
        }

        var later = await ProbeAsync(
            connection,
            stream,
            day,
            "day > $2 and day >= (select first_day from streams where name = $1) and day <= (select last_day from streams where name = $1)",
            "epoch, seq",
            null,
            cancellationToken).ConfigureAwait(false);
        return later is { } next ? Before(next.Position) : null;
    }

    /// <summary>Narrows the range between an event that is too early and one that is not, until nothing is between them.</summary>
    private static async Task<StreamPosition> HalveAsync(
        NpgsqlConnection connection,
        string stream,
        DateOnly day,
        DateTimeOffset recordedFrom,
        StreamPosition early,
        StreamPosition late,
        CancellationToken cancellationToken)
    {
        for (var step = 0; step < MaxSteps; step++)
        {
            // Sequences are dense within an epoch, epochs are sparse: halve epochs first, then the sequence within one.
            var middle = early.Epoch != late.Epoch
                ? new StreamPosition(early.Epoch + ((late.Epoch - early.Epoch + 1) / 2), 0)
                : new StreamPosition(early.Epoch, early.Sequence + ((late.Sequence - early.Sequence) / 2));
            middle = middle > early ? middle : early.Next;
            var probe = middle < late
                ? await ProbeAsync(connection, stream, day, "day = $2 and (epoch, seq) >= ($3, $4)", "epoch, seq", middle, cancellationToken)
                    .ConfigureAwait(false)
                : null;
            if (probe is { } found && found.Position < late)
            {
                if (found.RecordedAt >= recordedFrom.UtcDateTime)
                {
                    late = found.Position;
                }
                else
                {
                    early = found.Position;
                }

                continue;
            }

            // Nothing between the middle and the late event: the one before that decides, or becomes the new end.
            var before = await ProbeAsync(
                connection, stream, day, "day = $2 and (epoch, seq) < ($3, $4)", "epoch desc, seq desc", late, cancellationToken).ConfigureAwait(false);
            if (before is not { } previous || previous.Position <= early || previous.RecordedAt < recordedFrom.UtcDateTime)
            {
                return late;
            }

            late = previous.Position;
        }

        // Not reached by any real stream; starting too early is the harmless way to be wrong.
        return early.Next;
    }

    private static StreamPosition Before(StreamPosition position) => position with { Sequence = position.Sequence - 1 };

    private static async Task<(StreamPosition Position, DateTime RecordedAt)?> ProbeAsync(
        NpgsqlConnection connection,
        string stream,
        DateOnly day,
        string where,
        string order,
        StreamPosition? bound,
        CancellationToken cancellationToken)
    {
#pragma warning disable CA2100 // Both texts are constants of this type.
        await using var command = new NpgsqlCommand(
            $"select epoch, seq, recorded_at from events where stream = $1 and {where} order by {order} limit 1", connection);
#pragma warning restore CA2100
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = stream, NpgsqlDbType = NpgsqlDbType.Text });
        command.Parameters.Add(new NpgsqlParameter<DateOnly> { TypedValue = day });
        if (bound is { } position)
        {
            command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = position.Epoch });
            command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = position.Sequence });
        }

        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        return await reader.ReadAsync(cancellationToken).ConfigureAwait(false)
            ? (new StreamPosition(reader.GetInt64(0), reader.GetInt64(1)), reader.GetFieldValue<DateTime>(2))
            : null;
    }
}
