using AspireStreaming.ServiceDefaults.Health;
using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Pages;

/// <summary>Reads pages, straight from the log and the archive; a long poll waits on the stream's feed.</summary>
internal sealed class PageReader(TierReader tiers, StartResolver starts, FeedRegistry feeds, DrainState drain, TimeProvider time)
{
    /// <summary>Most events that one page looks at for a filter.</summary>
    private const int MaxScanned = 10_000;

    /// <summary>Size from which on a page is full.</summary>
    private const long MaxBytes = 4 << 20;

    /// <summary>Reads a page.</summary>
    /// <exception cref="Exception">Redis or the archive is away.</exception>
    public async Task<EventPage> ReadAsync(PageRequest request, CancellationToken cancellationToken)
    {
        var start = await starts.ResolveAsync(request.Stream, request.From, request.Tiers, cancellationToken);
        if (request.Descending)
        {
            return await ReadDownAsync(request, start, cancellationToken);
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
        var events = new List<EncodedEvent>();
        var scanned = 0;
        var bytes = 0L;
        while (true)
        {
            var wanted = Wanted(request, events.Count, scanned, bytes);
            var read = await tiers.ReadAsync(request.Stream, cursor, request.Tiers, null, wanted, cancellationToken);
            if (read.Before is { } before)
            {
                if (scanned > 0 && (before.Gap is not null || before.Border is { Missed: not 0 }))
                {
                    // It belongs before the first event of the next page.
                    return new EventPage(request.Stream, events, cursor, false, gap, null);
                }

                gap ??= before.Gap ?? (before.Border is { Missed: null } border
                    ? new Gap(border.Previous, border.Current with { Sequence = border.Current.Sequence - 1 }, null, GapReasons.Epoch)
                    : null);
            }

            if (read.Tail is { } tail)
            {
                return new EventPage(request.Stream, events, read.Cursor, true, gap, tail.End);
            }

            foreach (var item in read.Events)
            {
                cursor = item.Position;
                scanned++;
                bytes += item.Size;
                if (request.Types is null || request.Types.Matches(item))
                {
                    events.Add(item);
                }

                if (events.Count == request.Limit || scanned >= MaxScanned || bytes >= MaxBytes)
                {
                    var end = await tiers.ReadTailAsync(request.Stream, request.Tiers, cancellationToken);
                    var reached = cursor >= end.Last;
                    return new EventPage(request.Stream, events, cursor, reached, gap, reached ? end.End : null);
                }
            }
        }
    }

    private async Task<EventPage> ReadDownAsync(PageRequest request, ResolvedStart start, CancellationToken cancellationToken)
    {
        // From the end means from behind the last event; a position given is exclusive.
        StreamPosition? before = request.From.Kind switch
        {
            StartKind.Now => null,
            StartKind.Time => start.Position.Next,
            _ => start.Gap is null ? start.Position : null,
        };
        var next = before ?? start.Tail.Last;
        var end = before is null || before > start.Tail.Last ? start.Tail.End : null;
        var events = new List<EncodedEvent>();
        var scanned = 0;
        var bytes = 0L;
        while (true)
        {
            var wanted = Wanted(request, events.Count, scanned, bytes);
            var read = await tiers.ReadBeforeAsync(request.Stream, before, request.Tiers, wanted, cancellationToken);
            foreach (var item in read)
            {
                before = next = item.Position;
                scanned++;
                bytes += item.Size;
                if (request.Types is null || request.Types.Matches(item))
                {
                    events.Add(item);
                }

                if (events.Count == request.Limit || scanned >= MaxScanned || bytes >= MaxBytes)
                {
                    var more = await tiers.ReadBeforeAsync(request.Stream, before, request.Tiers, 1, cancellationToken);
                    return new EventPage(request.Stream, events, next, more.Length == 0, null, end);
                }
            }

            if (read.Length < wanted)
            {
                return new EventPage(request.Stream, events, next, true, null, end);
            }
        }
    }

    private static int Wanted(PageRequest request, int found, int scanned, long bytes)
    {
        var fitting = TierReader.BatchSize(scanned == 0 ? 0 : bytes / scanned);
        return request.Types is null ? Math.Min(request.Limit - found, fitting) : fitting;
    }
}
