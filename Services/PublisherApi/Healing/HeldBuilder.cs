using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;

namespace AspireStreaming.PublisherApi.Healing;

/// <summary>Gathers what is to be staged of a stream: all that is kept of it, less what Redis or the archive has.</summary>
internal sealed class HeldBuilder(string stream)
{
    private readonly SortedDictionary<StreamPosition, HeldEvent> _gathered = [];
    private readonly HashSet<int> _archived = [];
    private List<HeldEvent> _events = [];
    private StreamPosition _last;
    private string? _endType;
    private StreamPosition? _deleted;
    private bool _fromArchive;

    public string Stream { get; } = stream;

    /// <summary>Events to stage.</summary>
    public int Count => _events.Count - _archived.Count;

    public void Add(Retained item)
    {
        if (item.Deletion != RetainedDeletion.None)
        {
            if (_deleted is not { } deleted || item.Last > deleted)
            {
                _deleted = item.Last;
                _fromArchive = item.Deletion == RetainedDeletion.FromArchive;
            }

            return;
        }

        foreach (var held in item.Events)
        {
            _gathered.TryAdd(held.Position, held);
        }

        Reach(item.Last, item.EndType);
    }

    public void Add(Mark mark) => Reach(mark.Last, mark.EndType);

    /// <summary>Positions to look for in Redis; what was deleted since is no longer wanted.</summary>
    public List<StreamPosition> Positions()
    {
        _events = [.. _gathered.Values.Where(held => _deleted is not { } deleted || held.Position > deleted)];
        return _events.ConvertAll(static held => held.Position);
    }

    /// <summary>Keeps what Redis does not have.</summary>
    /// <param name="missing">Indexes of <see cref="Positions"/>.</param>
    /// <param name="last">The stream's last position in Redis.</param>
    /// <param name="isTombstone">Whether it is deleted there.</param>
    /// <returns>Whether there is anything to stage.</returns>
    public bool Keep(List<int> missing, StreamPosition last, bool isTombstone)
    {
        _events = missing.ConvertAll(index => _events[index]);
        if (_deleted is { } deleted && (last > deleted || (isTombstone && last == deleted)))
        {
            _deleted = null;
        }

        return _events.Count > 0 || _deleted is not null || _last > last;
    }

    public IEnumerable<(int Index, EventKey Key)> Keys() =>
        _events.Select((held, index) => (index, new EventKey(Stream, held.Position, held.RecordedAt)));

    /// <summary>The archive has an event.</summary>
    public void TakeOut(int index) => _archived.Add(index);

    public HeldStream Build(IReadOnlyDictionary<string, StreamPosition> archived) =>
        new(Stream, [.. _events.Where((_, index) => !_archived.Contains(index))])
        {
            Archived = archived.TryGetValue(Stream, out var position) ? position : StreamPosition.Zero,
            Last = _last,
            EndState = _endType is null ? null : StreamStates.AfterTerminal(_endType),
            EndType = _endType,
            Deleted = _deleted,
            DeletedFromArchive = _fromArchive,
        };

    private void Reach(StreamPosition last, string? endType)
    {
        if (last > _last)
        {
            _last = last;
            _endType = endType;
        }
    }
}
