using System.Text.Json;
using AspireStreaming.Cli.Client;

namespace AspireStreaming.Cli.Tail;

/// <summary>
/// Proves by arithmetic that nothing is missing and nothing comes twice: within an epoch the next position is always the last plus
/// one, unless the service announced a hole; an epoch changes only with an announcement.
/// </summary>
/// <param name="filtered">Types are filtered: then holes are normal and only the order is checked.</param>
internal sealed class ContinuityCheck(bool filtered)
{
    private StreamPosition? _last;
    private bool _epochAnnounced;

    /// <summary>Takes the next event's position.</summary>
    /// <returns>What is wrong; null when all is well.</returns>
    public string? Event(StreamPosition? at)
    {
        if (at is not { } position)
        {
            return "an event came without a position";
        }

        var fault = _last is { } last ? Compare(last, position) : null;
        _last = position;
        _epochAnnounced = false;
        return fault;
    }

    /// <summary>Takes an id-only frame: where the cursor starts, or how far filtered events have moved it.</summary>
    public void Cursor(StreamPosition? position)
    {
        // A resumed cursor proves nothing about what was delivered, so only the first one counts.
        if (filtered || _last is null)
        {
            _last = position > _last || _last is null ? position : _last;
        }
    }

    /// <summary>Takes a control event.</summary>
    /// <returns>What is wrong; null when all is well.</returns>
    public string? Control(string name, ReadOnlyMemory<byte> data)
    {
        switch (name)
        {
            case "stream.gap" or "stream.dropped":
                return Announced(data);
            case "stream.epoch":
                _epochAnnounced = true;
                return null;
            default:
                return null;
        }
    }

    private string? Compare(StreamPosition last, StreamPosition position)
    {
        if (position == last)
        {
            return $"{position} was delivered twice";
        }

        if (position < last)
        {
            return $"{position} was delivered after {last}";
        }

        // Before the first event there is no epoch, and nothing that could be missing from it.
        if (filtered || last == StreamPosition.Zero)
        {
            return null;
        }

        if (position.Epoch != last.Epoch)
        {
            return _epochAnnounced ? null : $"the epoch changed from {last} to {position} without an announcement";
        }

        var missing = position.Sequence - last.Sequence - 1;
        return missing == 0
            ? null
            : $"{missing} {(missing == 1 ? "event is" : "events are")} missing between {last} and {position}, and no gap was announced";
    }

    private string? Announced(ReadOnlyMemory<byte> data)
    {
        StreamGap? gap;
        try
        {
            using var document = JsonDocument.Parse(data);
            gap = StreamGap.Read(document.RootElement);
        }
        catch (JsonException)
        {
            gap = null;
        }

        if (gap is null)
        {
            return "a gap was announced without saying where";
        }

        var late = !filtered && _last is { } last && last != StreamPosition.Zero && gap.From.Epoch == last.Epoch && gap.From > last
            ? $"a gap was announced after {gap.From}, but the last event was {last}"
            : null;

        // It may also lead back, when the position to resume from was beyond what the stream still has.
        _epochAnnounced |= gap.Reason == "epoch" || (_last is { } known && known.Epoch != gap.To.Epoch);
        _last = gap.To;
        return late;
    }
}
