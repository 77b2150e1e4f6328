using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Connections;

/// <summary>
/// What a cursor has passed, as runs without a gap, for the epochs in which it was last: an event that was appended again after a
/// fault is passed over by whoever had it where it was first. Bounded; not thread-safe.
/// </summary>
internal sealed class DeliveredRuns
{
    private const int MaxRuns = 8;

    private readonly List<(StreamPosition From, StreamPosition To)> _runs = [];

    /// <summary>The cursor has got to a position.</summary>
    public void Reached(StreamPosition position)
    {
        if (_runs.Count == 0)
        {
            // A client that comes with a position says that it has had what is before.
            _runs.Add((position with { Sequence = 0 }, position));
            return;
        }

        var (from, to) = _runs[^1];
        if (to.Next == position)
        {
            _runs[^1] = (from, position);
        }
        else if (to != position)
        {
            if (_runs.Count == MaxRuns)
            {
                _runs.RemoveAt(0);
            }

            _runs.Add((position with { Sequence = position.Sequence - 1 }, position));
        }
    }

    /// <summary>Whether a position was passed.</summary>
    public bool Contains(StreamPosition position)
    {
        foreach (var (from, to) in _runs)
        {
            if (position > from && position <= to)
            {
                return true;
            }
        }

        return false;
    }
}
