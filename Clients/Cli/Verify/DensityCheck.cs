using AspireStreaming.Client;

namespace AspireStreaming.Cli.Verify;

/// <summary>Follows the positions of one tier: holes, repetitions and disorder, in constant memory but for the holes.</summary>
internal sealed class DensityCheck
{
    /// <summary>More holes than this are only counted.</summary>
    private const int MaxHoles = 10_000;

    private readonly List<Hole> _holes = [];
    private StreamPosition? _last;

    public long Count { get; private set; }

    public long Duplicates { get; private set; }

    public long Disorders { get; private set; }

    /// <summary>Number of events in holes.</summary>
    public long Missing { get; private set; }

    public int Epochs { get; private set; }

    public StreamPosition? First { get; private set; }

    public StreamPosition? Last => _last;

    public IReadOnlyList<Hole> Holes => _holes;

    /// <summary>Takes the next position.</summary>
    public Verdict Observe(StreamPosition position)
    {
        Count++;
        if (_last is not { } last)
        {
            First = position;
            Epochs = 1;
            _last = position;
            return Verdict.Expected;
        }

        if (position <= last)
        {
            // What fills a hole comes late; everything else was here before.
            if (position < last && FillHole(position))
            {
                Disorders++;
                return Verdict.Late;
            }

            Duplicates++;
            return Verdict.Repeated;
        }

        // Sequences go on counting across an epoch when continuity is proven; when they start anew, nothing can be said.
        var missing = position.Sequence - last.Sequence - 1;
        if (missing > 0)
        {
            Missing += missing;
            if (_holes.Count < MaxHoles)
            {
                _holes.Add(new Hole(last, new StreamPosition(position.Epoch, position.Sequence - 1), missing));
            }
        }

        if (position.Epoch != last.Epoch)
        {
            Epochs++;
        }

        _last = position;
        return Verdict.Expected;
    }

    private bool FillHole(StreamPosition position)
    {
        for (var index = _holes.Count - 1; index >= 0; index--)
        {
            var hole = _holes[index];
            if (position > hole.After && position <= hole.To)
            {
                _holes.RemoveAt(index);
                Missing--;
                var behind = hole.To.Sequence - position.Sequence;
                if (behind > 0)
                {
                    _holes.Insert(index, new Hole(position, hole.To, behind));
                }

                if (hole.Missing - behind - 1 is > 0 and var before)
                {
                    _holes.Insert(index, new Hole(hole.After, new StreamPosition(position.Epoch, position.Sequence - 1), before));
                }

                return true;
            }
        }

        return false;
    }

    internal enum Verdict
    {
        Expected,
        Late,
        Repeated,
    }
}
