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

        // A position that was lost is told of with every page until something follows it: that is no reason to answer at once.
        var gap = start.Gap is not null && start.Position == request.From.Position ? start.Gap : null;
        return IsNothing(page, gap) && request.Wait > TimeSpan.Zero ? await WaitAsync(request, page, gap, cancellationToken) : page;
    }

    private static bool IsNothing(EventPage page, Gap? gap) =>
        page is { Events.Count: 0, CaughtUp: true, End: null, Passed.Count: 0 } && (page.Gap is null || page.Gap == gap);

    private async Task<EventPage> WaitAsync(PageRequest request, EventPage page, Gap? gap, CancellationToken cancellationToken)
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
            while (!limit.IsCancellationRequested && IsNothing(page, gap))
            {
                var (last, end) = feed.Tail;
                if (feed.IsReady && (last > page.Next || end is not null))
                {
                    page = await ReadUpAsync(request, page.Next, gap, cancellationToken);
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
        var scan = new PageScan(request, cursor);
        while (true)
        {
            var read = await tiers.ReadAsync(request.Stream, cursor, request.Tiers, null, scan.Wanted, cancellationToken);
            if (read.Before is { } before)
            {
                if (scan.Scanned > 0 && (before.Gap is not null || before.Border is { Missed: not 0 }))
                {
                    // It belongs before the first event of the next page.
                    return Page(scan, cursor, false, gap, null);
                }

                // What is missing after a lost position says more than that it was lost.
                gap = before.Gap ?? (before.Border is { Missed: null } border
                    ? new Gap(border.Previous, border.Current with { Sequence = border.Current.Sequence - 1 }, null, GapReasons.Epoch)
                    : gap);
                if (before.Passed is { } passed)
                {
                    scan.Pass(passed);
                }
            }

            if (read.Tail is { } tail)
            {
                return Page(scan, read.Cursor, true, gap, tail.End);
            }

            foreach (var item in read.Events)
            {
                var isLast = scan.TakeLast(cursor, item);
                cursor = item.Position;
                if (isLast)
                {
                    var end = await tiers.ReadTailAsync(request.Stream, request.Tiers, cancellationToken);
                    var reached = cursor >= end.Last;
                    return Page(scan, cursor, reached, gap, reached ? end.End : null);
                }
            }

            cursor = read.Cursor;
        }

        EventPage Page(PageScan scan, StreamPosition next, bool caughtUp, Gap? missing, StreamEnd? end) =>
            new(request.Stream, scan.Events, next, caughtUp, missing, end) { Passed = scan.Passed };
    }
}
