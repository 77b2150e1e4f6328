using AspireStreaming.StreamApi.Connections;
using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Pages;

/// <summary>Gathers a page's events within its bounds.</summary>
internal sealed class PageScan
{
    /// <summary>Most events that one page looks at for a filter.</summary>
    public const int MaxScanned = 10_000;

    /// <summary>Size of what was looked at from which on a page ends, however little the filter let through.</summary>
    private const long MaxScannedBytes = 64 << 20;

    private readonly PageRequest _request;
    private DeliveredRuns _delivered;
    private readonly List<Passage> _passed = [];
    private long _bytes;
    private long _scannedBytes;

    /// <summary>Begins a page.</summary>
    /// <param name="request">What the client asks for.</param>
    /// <param name="start">Where the page begins.</param>
    public PageScan(PageRequest request, StreamPosition start)
    {
        _request = request;
        _delivered.Reached(start);
    }

    /// <summary>The page's events.</summary>
    public List<EncodedEvent> Events { get; } = [];

    /// <summary>Events looked at.</summary>
    public int Scanned { get; private set; }

    /// <summary>How many to read next.</summary>
    public int Wanted
    {
        get
        {
            var fitting = TierReader.BatchSize(Scanned == 0 ? 0 : _scannedBytes / Scanned);
            return _request.Types is null ? Math.Min(_request.Limit - Events.Count, fitting) : fitting;
        }
    }

    /// <summary>What the page passes over.</summary>
    public IReadOnlyList<Passage> Passed => _passed;

    /// <summary>Notes positions that have no event for the client though nothing is missing.</summary>
    public void Pass(Passage passed)
    {
        if (_passed is [.., var last] && last.To == passed.From)
        {
            _passed[^1] = last with { To = passed.To };
        }
        else
        {
            _passed.Add(passed);
        }
    }

    /// <summary>Takes the next event upwards, if the filter lets it through and the client has not had it at an earlier position.</summary>
    /// <param name="from">Where the page stands.</param>
    /// <param name="item">The event.</param>
    /// <returns>Whether it is the last that the page takes.</returns>
    public bool TakeLast(StreamPosition from, EncodedEvent item)
    {
        _delivered.Reached(from);
        _delivered.Reached(item.Position);
        if (_request.Tiers != TierSet.All || !_delivered.HasHad(item))
        {
            return TakeLast(item);
        }

        Scanned++;
        Pass(new Passage(from, item.Position));
        return Scanned >= MaxScanned;
    }

    /// <summary>Takes an event, if the filter lets it through.</summary>
    /// <returns>Whether it is the last that the page takes.</returns>
    public bool TakeLast(EncodedEvent item)
    {
        Scanned++;
        _scannedBytes += item.Size;
        if (_request.Types is null || _request.Types.Matches(item))
        {
            Events.Add(item);
            _bytes += item.Size;
        }

        return Events.Count == _request.Limit || Scanned >= MaxScanned || _bytes >= _request.MaxBytes || _scannedBytes >= MaxScannedBytes;
    }
}
