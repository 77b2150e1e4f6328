using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Pages;

/// <summary>
/// Reads pages downwards, from the log and then the archive. A page ends above a hole, so that its <c>gap</c> is what is missing
/// before its first event, as in a page upwards; what is missing at the very bottom has a last page of its own.
/// </summary>
internal sealed class DescendingPageReader(TierReader tiers)
{
    /// <summary>Reads a page.</summary>
    /// <exception cref="Exception">Redis or the archive is away.</exception>
    public async Task<EventPage> ReadAsync(PageRequest request, ResolvedStart start, CancellationToken cancellationToken)
    {
        // From the end means from behind the last event; a position given is exclusive.
        StreamPosition? before = request.From.Kind switch
        {
            StartKind.Now => null,
            StartKind.Time => start.Position.Next,
            _ => start.Gap is null ? start.Position : null,
        };
        var next = before ?? start.Tail.Last;
        var above = before is { } given ? new Edge(given, null, IsKnown: false) : new Edge(start.Tail.Last.Next, null, IsKnown: true);
        var end = before is null || before > start.Tail.Last ? start.Tail.End : null;
        var gap = start.Gap;
        var scan = new PageScan(request, next);
        while (true)
        {
            var wanted = scan.Wanted;
            var (run, hole, isBottom) = await ReadRunAsync(request, before, above, wanted, scan, cancellationToken);
            if (hole is not null && scan.Scanned > 0)
            {
                return Page(false);
            }

            gap ??= hole;
            if (isBottom)
            {
                return Page(true);
            }

            foreach (var item in run)
            {
                before = next = item.Position;
                above = new Edge(item.Position, item.Previous, IsKnown: true);
                if (scan.TakeLast(item))
                {
                    var (_, further, nothing) = await ReadRunAsync(request, before, above, 1, scan, cancellationToken);
                    return Page(nothing && further is null);
                }
            }
        }

        EventPage Page(bool caughtUp) => new(request.Stream, scan.Events, next, caughtUp, gap, end) { Passed = scan.Passed };
    }

    /// <summary>The next events down to the first hole among them, and what is missing above the first; or that there are none.</summary>
    private async Task<(EncodedEvent[] Run, Gap? Hole, bool IsBottom)> ReadRunAsync(
        PageRequest request, StreamPosition? before, Edge above, int count, PageScan scan, CancellationToken cancellationToken)
    {
        var found = await tiers.ReadBeforeAsync(request.Stream, before, request.Tiers, count, cancellationToken);
        if (!above.IsKnown && (found.Length == 0 || found[0].Position.Epoch != above.Position.Epoch))
        {
            above = await LookUpAsync(request, above.Position, cancellationToken);
        }

        if (found.Length > 0 && !above.Follows(found[0].Position) && request.Tiers == TierSet.All)
        {
            // The log may have lost what the archive has.
            var cold = await tiers.ReadBeforeAsync(request.Stream, before, TierSet.Archive, count, cancellationToken);
            found = cold.Length > 0 && cold[0].Position > found[0].Position ? cold : found;
        }

        if (found.Length == 0)
        {
            var hasAll = above.Position.IsZero || above.Follows(StreamPosition.Zero);
            return ([], hasAll ? null : Gap.Between(StreamPosition.Zero, above.Before, GapReasons.Trimmed), true);
        }

        Gap? hole = null;
        if (!above.Follows(found[0].Position))
        {
            if (request.Tiers.HasFlag(TierSet.Archive)
                && await tiers.AreMovedAsync(request.Stream, found[0].Position, above.Before, cancellationToken))
            {
                scan.Pass(new Passage(found[0].Position, above.Before));
            }
            else
            {
                hole = await DescribeAsync(request, found[0].Position, above, cancellationToken);
            }
        }

        var length = 1;
        while (length < found.Length && Continuity.Judge(found[length].Position, found[length - 1]).IsContinuous())
        {
            length++;
        }

        return (found[..length], hole, false);
    }

    private async Task<Edge> LookUpAsync(PageRequest request, StreamPosition position, CancellationToken cancellationToken)
    {
        var previous = position with { Sequence = Math.Max(0, position.Sequence - 1) };
        var read = await tiers.ReadAsync(request.Stream, previous, request.Tiers, null, 1, cancellationToken);
        return new Edge(position, read.Events is [var item, ..] && item.Position == position ? item.Previous : null, IsKnown: true);
    }

    private async Task<Gap?> DescribeAsync(PageRequest request, StreamPosition below, Edge above, CancellationToken cancellationToken) =>
        Continuity.Judge(below, above.Position, above.Previous) == Link.UnprovenBorder
            ? new Gap(below, above.Position with { Sequence = above.Position.Sequence - 1 }, null, GapReasons.Epoch)
            : Gap.Between(below, above.Before, await tiers.ReasonAsync(request.Stream, below, above.Before, request.Tiers, cancellationToken));

    /// <summary>What stands above the next event: the one before it in the page, or where the page begins.</summary>
    private readonly record struct Edge(StreamPosition Position, StreamPosition? Previous, bool IsKnown)
    {
        /// <summary>The position that an event must have to be the next one down.</summary>
        public StreamPosition Before => Previous ?? Position with { Sequence = Position.Sequence - 1 };

        /// <summary>Whether nothing is missing between an event and this; <c>0-0</c> stands for the stream's beginning.</summary>
        public bool Follows(StreamPosition below) => Continuity.Judge(below, Position, Previous).IsContinuous();
    }
}
