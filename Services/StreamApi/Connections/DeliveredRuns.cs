using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Connections;

/// <summary>
/// What a cursor has passed, as runs without a gap, for the epochs in which it was last: an event that was appended again after a
/// fault is passed over by whoever had it where it was first. Bounded; not thread-safe.
/// </summary>
internal sealed class DeliveredRuns
{
    private const int MaxRuns = 8;

    /// <summary>The runs before the last; most readers have none.</summary>
    private List<(StreamPosition From, StreamPosition To)>? _earlier;

    private StreamPosition _from;
    private StreamPosition _to;
    private bool _hasRun;

    /// <summary>The cursor has got to a position.</summary>
    public void Reached(StreamPosition position)
    {
        if (!_hasRun)
        {
            // A client that comes with a position says that it has had what is before.
            _hasRun = true;
            _from = position with { Sequence = 0 };
            _to = position;
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

    /// <summary>Whether a position was passed.</summary>
    public bool Contains(StreamPosition position)
    {
        if (position > _from && position <= _to)
        {
            return true;
        }

        foreach (var (from, to) in _earlier ?? [])
        {
            if (position > from && position <= to)
            {
                return true;
            }
        }

        return false;
    }
}
