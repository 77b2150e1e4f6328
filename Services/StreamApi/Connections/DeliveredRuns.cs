using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Connections;

/// <summary>
/// What a reader has had, as far as it can be told: where it began, and since then runs without a gap. Whoever has had an event passes
/// it over when it comes again at a later position, because it was appended again after a fault. Bounded; not thread-safe; a part of its reader, not to be copied.
/// </summary>
internal struct DeliveredRuns
{
    private const int MaxRuns = 8;

    /// <summary>The runs before the last; most readers have none.</summary>
    private List<(StreamPosition From, StreamPosition To)>? _earlier;

    private StreamPosition _from;
    private StreamPosition _to;
    private bool _hasRun;
    private StreamPosition _start;

    /// <summary>The cursor has got to a position; the first is where it begins.</summary>
    public void Reached(StreamPosition position)
    {
        if (!_hasRun)
        {
            _hasRun = true;
            _start = _from = _to = position;
        }
        else if (_to.Next == position)
        {
            _to = position;
        }
        else if (_to != position)
        {
            _earlier ??= [];
            if (_earlier.Count == MaxRuns - 1)
            {
                _earlier.RemoveAt(0);
            }

            _earlier.Add((_from, _to));
            _from = position with { Sequence = position.Sequence - 1 };
            _to = position;
        }
    }

    /// <summary>Whether it has had the event where that stood first.</summary>
    public readonly bool HasHad(EncodedEvent item)
    {
        if (item.FirstPosition is not { } first)
        {
            return false;
        }

        if (first <= _start)
        {
            // A position says of its own epoch that everything up to it was had, or announced. Of the epochs before it says so as far as
            // the next epoch knew of them: a reader may have gone on without what lay beyond.
            return first.Epoch == _start.Epoch || (item.Flags & EventFlags.BeyondBorder) == 0;
        }

        if (first > _from && first <= _to)
        {
            return true;
        }

        foreach (var (from, to) in _earlier ?? [])
        {
            if (first > from && first <= to)
            {
                return true;
            }
        }

        return false;
    }
}
