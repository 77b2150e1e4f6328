using AspireStreaming.Client;
using AspireStreaming.Client.Http;

namespace AspireStreaming.Cli.Verify;

/// <summary>Reads one tier of a stream page by page, in order of position, each position once; what comes otherwise is reported.</summary>
/// <param name="client">The Stream API.</param>
/// <param name="stream">The stream.</param>
/// <param name="tier"><c>archive</c> or <c>log</c>; null = both, as readers see them.</param>
/// <param name="until">Last position to read.</param>
/// <param name="retry">Repeats requests.</param>
/// <param name="time">The clock.</param>
internal sealed class TierCursor(StreamApiClient client, string stream, string? tier, StreamPosition until, Retry retry, TimeProvider time)
{
    private const int MaxLimit = 1000;
    private const int WantedPageBytes = 16 * 1024 * 1024;
    private const int MaxFruitlessReads = 20;

    private static readonly TimeSpan FruitlessDelay = TimeSpan.FromMilliseconds(500);

    private readonly List<StreamEvent> _page = [];
    private readonly List<StreamGap> _gaps = [];
    private string _from = "start";
    private int _index = -1;
    private int _limit = 100;
    private bool _atEnd;
    private string _lastTime = "";

    /// <summary>Name of the tier for the report.</summary>
    public string Name => tier ?? "combined";

    public DensityCheck Density { get; } = new();

    /// <summary>Holes that the pages announced.</summary>
    public IReadOnlyList<StreamGap> Gaps => _gaps;

    /// <summary>The event that the cursor stands on; null at the end.</summary>
    public StreamEvent? Current => _index >= 0 && _index < _page.Count ? _page[_index] : null;

    /// <summary>Goes to the next event.</summary>
    public async Task MoveAsync(VerifyReport report, CancellationToken cancellationToken)
    {
        _index++;
        while (_index >= _page.Count && !_atEnd)
        {
            await ReadPageAsync(report, cancellationToken);
            _index = 0;
        }
    }

    private async Task ReadPageAsync(VerifyReport report, CancellationToken cancellationToken)
    {
        for (var fruitless = 0; ; fruitless++)
        {
            var page = await retry.RunAsync(token => client.ReadPageAsync(stream, Page(), token), cancellationToken);
            if (page is null)
            {
                _limit = _limit > 1
                    ? Math.Max(_limit / 10, 1)
                    : throw new InvalidDataException($"A page of one event is larger than {StreamApiClient.MaxPageBytes:N0} bytes.");
                continue;
            }

            if (page.Gap is { } gap && _gaps.Count < VerifyReport.MaxListed)
            {
                _gaps.Add(gap);
            }

            var from = page.Next.ToString();
            if (page.Events.Count > 0)
            {
                Take(page, report);
                _atEnd |= page.CaughtUp || from == _from;
            }
            else if (page.CaughtUp)
            {
                _page.Clear();
                _atEnd = true;
            }
            else if (from == _from)
            {
                // The service may wait for the archive at an epoch border, but not for ever.
                if (fruitless >= MaxFruitlessReads)
                {
                    throw new InvalidDataException($"The Stream API does not get beyond {_from} ({Name}).");
                }

                await Task.Delay(FruitlessDelay, time, cancellationToken);
                continue;
            }
            else
            {
                _page.Clear();
            }

            _from = from;
            return;
        }
    }

    private PageOptions Page() => new() { From = StartAt.Text(_from), Limit = _limit, Tier = tier };

    private void Take(EventPage page, VerifyReport report)
    {
        _page.Clear();
        var bytes = 0L;
        var sort = false;
        foreach (var item in page.Events)
        {
            bytes += item.Json.Length;
            if (item.Position > until)
            {
                _atEnd = true;
                continue;
            }

            switch (Density.Observe(item.Position))
            {
                case DensityCheck.Verdict.Repeated:
                    report.Add("duplicate", Name, item.Position.ToString(), "the position occurs more than once");
                    continue;
                case DensityCheck.Verdict.Late:
                    report.Add("disorder", Name, item.Position.ToString(), "the event comes after later ones");
                    sort = true;
                    break;
                default:
                    CheckTime(item, report);
                    break;
            }

            _page.Add(item);
        }

        if (sort)
        {
            _page.Sort(static (left, right) => left.Position.CompareTo(right.Position));
        }

        _limit = (int)Math.Clamp(WantedPageBytes / Math.Max(bytes / page.Events.Count, 1), 1, MaxLimit);
    }

    private void CheckTime(StreamEvent item, VerifyReport report)
    {
        // Always of one format, so the order of the texts is the order of the times.
        if (item.RecordedTimeText.Length == _lastTime.Length && string.CompareOrdinal(item.RecordedTimeText, _lastTime) < 0)
        {
            report.Add("disorder", Name, item.Position.ToString(), $"recordedtime falls from {_lastTime} to {item.RecordedTimeText}");
        }

        _lastTime = item.RecordedTimeText;
    }
}
