namespace AspireStreaming.ServiceDefaults.Metrics;

/// <summary>Collects for one scrape at a time; scrapes within 300 ms share a page.</summary>
internal sealed class MetricsScraper(PrometheusTextExporter exporter, TimeProvider time) : IDisposable
{
    private const int CollectTimeoutMs = 5_000;

    private static readonly TimeSpan Validity = TimeSpan.FromMilliseconds(300);

    private readonly SemaphoreSlim _turn = new(1, 1);
    private byte[]? _page;
    private long _collectedAt;

    /// <summary>The page, or null if the metrics could not be collected.</summary>
    public async Task<byte[]?> ScrapeAsync(CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            if (_page is null || time.GetElapsedTime(_collectedAt) >= Validity)
            {
                _page = exporter.Collect?.Invoke(CollectTimeoutMs) == true ? exporter.Page : null;
                _collectedAt = time.GetTimestamp();
            }

            return _page;
        }
        finally
        {
            _turn.Release();
        }
    }

    public void Dispose() => _turn.Dispose();
}
