namespace AspireStreaming.Client.Following;

/// <summary>
/// Proves by arithmetic that nothing is missing and nothing comes twice: within an epoch the next position is always the last plus
/// one, unless the service announced a hole; an epoch changes only with an announcement.
/// </summary>
/// <param name="filtered">Types are filtered: then holes are normal and only the order is checked.</param>
internal sealed class ContinuityCheck(bool filtered)
{
    private bool _epochAnnounced;

    /// <summary>The last position; null while nothing is known.</summary>
    public StreamPosition? Last { get; private set; }

    /// <summary>Takes the next event's position.</summary>
    /// <returns>What is wrong; null when all is well.</returns>
    public string? Event(StreamPosition position)
    {
        var fault = Last is { } last ? Compare(last, position) : null;
        Last = position;
        _epochAnnounced = false;
        return fault;
    }

    /// <summary>Takes a bare position: where the cursor starts, or how far filtered events have moved it.</summary>
    public void Cursor(StreamPosition position)
    {
        // A resumed cursor proves nothing about what was delivered, so only the first one counts.
        if (filtered || Last is null)
        {
            Last = Last is { } last && last > position ? last : position;
        }
    }

    /// <summary>Takes an announcement.</summary>
    /// <returns>What is wrong; null when all is well.</returns>
    public string? Notice(StreamNotice notice)
    {
        switch (notice)
        {
            case GapNotice gap:
                return Announced(gap.Gap);
            case DroppedNotice dropped:
                return Announced(dropped.Skipped);
            case PassedNotice passed:
                Last = Last is { } known && known > passed.To ? known : passed.To;
                return null;
            case EpochNotice:
                _epochAnnounced = true;
                return null;
            default:
                return notice.Name is "stream.gap" or "stream.dropped" ? "a gap was announced without saying where" : null;
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

    private string? Announced(StreamGap gap)
    {
        var late = !filtered && Last is { } last && last != StreamPosition.Zero && gap.From.Epoch == last.Epoch && gap.From > last
            ? $"a gap was announced after {gap.From}, but the last event was {last}"
            : null;

        // It may also lead back, when the position to resume from was beyond what the stream still has.
        _epochAnnounced |= gap.Reason == "epoch" || (Last is { } known && known.Epoch != gap.To.Epoch);
        Last = gap.To;
        return late;
    }
}
