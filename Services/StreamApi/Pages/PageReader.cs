using AspireStreaming.ServiceDefaults.Health;
using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Pages;

/// <summary>Reads pages, straight from the log and the archive; a long poll waits on the stream's feed.</summary>
internal sealed class PageReader(
    TierReader tiers, DescendingPageReader descending, StartResolver starts, FeedRegistry feeds, DrainState drain, TimeProvider time)
{
    /// <summary>Reads a page.</summary>
    /// <exception cref="Exception">Redis or the archive is away.</exception>
    public async Task<EventPage> ReadAsync(PageRequest request, CancellationToken cancellationToken)
    {
        var start = await starts.ResolveAsync(request.Stream, request.From, request.Tiers, cancellationToken);
        if (request.Descending)
        {
            return await descending.ReadAsync(request, start, cancellationToken);
        }

        var page = await ReadUpAsync(request, start.Position, start.Gap, cancellationToken);
        return page is { Events.Count: 0, CaughtUp: true, Gap: null, End: null } && request.Wait > TimeSpan.Zero
            ? await WaitAsync(request, page, cancellationToken)
            : page;
    }

    private async Task<EventPage> WaitAsync(PageRequest request, EventPage page, CancellationToken cancellationToken)
    {
        var feed = feeds.TryAcquire(request.Stream);
        if (feed is null)
        {
            return page;
        }

        var signal = new DeliverySignal();
        using var patience = new CancellationTokenSource(request.Wait, time);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, patience.Token, drain.Draining);
        await using var expiry = limit.Token.UnsafeRegister(static state => ((DeliverySignal)state!).Set(), signal);
        feed.Join(signal);
        try
        {
            while (!limit.IsCancellationRequested && page is { Events.Count: 0, CaughtUp: true, Gap: null, End: null })
            {
                var (last, end) = feed.Tail;
                if (feed.IsReady && (last > page.Next || end is not null))
                {
                    page = await ReadUpAsync(request, page.Next, null, cancellationToken);
                    page = page with { End = page.Events.Count == 0 ? page.End ?? end : page.End };
                }
                else
                {
                    await signal.WaitAsync();
                }
            }

            cancellationToken.ThrowIfCancellationRequested();
            return page;
        }
        finally
        {
            feed.Leave(signal);
            feeds.Release(feed);
        }
    }

    private async Task<EventPage> ReadUpAsync(PageRequest request, StreamPosition cursor, Gap? gap, CancellationToken cancellationToken)
    {
        var scan = new PageScan(request);
        while (true)
        {
            var read = await tiers.ReadAsync(request.Stream, cursor, request.Tiers, null, scan.Wanted, cancellationToken);
            if (read.Before is { } before)
            {
                if (scan.Scanned > 0 && (before.Gap is not null || before.Border is { Missed: not 0 }))
                {
                    // It belongs before the first event of the next page.
                    return new EventPage(request.Stream, scan.Events, cursor, false, gap, null);
                }

                gap ??= before.Gap ?? (before.Border is { Missed: null } border
                    ? new Gap(border.Previous, border.Current with { Sequence = border.Current.Sequence - 1 }, null, GapReasons.Epoch)
                    : null);
            }

            if (read.Tail is { } tail)
            {
                return new EventPage(request.Stream, scan.Events, read.Cursor, true, gap, tail.End);
            }

            foreach (var item in read.Events)
            {
                cursor = item.Position;
                if (scan.TakeLast(item))
                {
                    var end = await tiers.ReadTailAsync(request.Stream, request.Tiers, cancellationToken);
                    var reached = cursor >= end.Last;
                    return new EventPage(request.Stream, scan.Events, cursor, reached, gap, reached ? end.End : null);
                }
            }
        }
    }
}
