using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Connections;

/// <summary>
/// What a reader has had, as far as it can be told: where it began, and since then runs without a gap. Whoever has had an event passes
/// it over when it comes again at a later position, because it was appended again after a fault. Bounded; not thread-safe.
/// </summary>
internal sealed class DeliveredRuns
{
    private const int MaxRuns = 8;

    private readonly List<(StreamPosition From, StreamPosition To)> _runs = [];
    private StreamPosition _start;

    /// <summary>The cursor has got to a position; the first is where it begins.</summary>
    public void Reached(StreamPosition position)
    {
        if (_runs.Count == 0)
        {
            _start = position;
            _runs.Add((position, position));
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

    /// <summary>Whether it has had the event where that stood first.</summary>
    public bool HasHad(EncodedEvent item)
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

        foreach (var (from, to) in _runs)
        {
            if (first > from && first <= to)
            {
                return true;
            }
        }

        return false;
    }
}
