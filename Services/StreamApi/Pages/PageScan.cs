using AspireStreaming.StreamApi.Delivery;

namespace AspireStreaming.StreamApi.Pages;

/// <summary>Gathers a page's events within its bounds.</summary>
internal sealed class PageScan(PageRequest request)
{
    /// <summary>Most events that one page looks at for a filter.</summary>
    public const int MaxScanned = 10_000;

    /// <summary>Size of its events from which on a page is full.</summary>
    private const long MaxBytes = 4 << 20;

    /// <summary>Size of what was looked at from which on a page ends, however little the filter let through.</summary>
    private const long MaxScannedBytes = 64 << 20;

    private long _bytes;
    private long _scannedBytes;

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
            return request.Types is null ? Math.Min(request.Limit - Events.Count, fitting) : fitting;
        }
    }

    /// <summary>Takes an event, if the filter lets it through.</summary>
    /// <returns>Whether it is the last that the page takes.</returns>
    public bool TakeLast(EncodedEvent item)
    {
        Scanned++;
        _scannedBytes += item.Size;
        if (request.Types is null || request.Types.Matches(item))
        {
            Events.Add(item);
            _bytes += item.Size;
        }

        return Events.Count == request.Limit || Scanned >= MaxScanned || _bytes >= MaxBytes || _scannedBytes >= MaxScannedBytes;
    }
}
