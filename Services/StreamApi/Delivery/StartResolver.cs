using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;
using Microsoft.Extensions.Options;

namespace AspireStreaming.StreamApi.Delivery;

/// <summary>Where a reader wants to start.</summary>
internal enum StartKind
{
    /// <summary>At the first event kept.</summary>
    Start,

    /// <summary>At the end.</summary>
    Now,

    /// <summary>After a position.</summary>
    Position,

    /// <summary>At the first event recorded at or after a time.</summary>
    Time,
}

/// <summary>Where a reader wants to start.</summary>
internal readonly record struct StartFrom(StartKind Kind, StreamPosition Position = default, DateTimeOffset Time = default)
{
    /// <summary>What the texts may be, for error messages.</summary>
    public const string Rule = "'start', 'now', a position such as 1700000000000-42, or an RFC 3339 time";

    /// <summary>Parses <c>start</c>, <c>now</c>, a position or an RFC 3339 time.</summary>
    public static bool TryParse(string text, out StartFrom from)
    {
        from = default;
        switch (text)
        {
            case "start":
                return true;
            case "now":
                from = new StartFrom(StartKind.Now);
                return true;
            default:
                if (StreamPosition.TryParse(text, out var position))
                {
                    from = new StartFrom(StartKind.Position, position);
                    return true;
                }

                // A plus sign in a query is a space unless the client encoded it.
                if (Rfc3339.TryParse(text, out var time)
                    || (text.Length > 6 && text[^6] == ' ' && Rfc3339.TryParse($"{text[..^6]}+{text[^5..]}", out time)))
                {
                    from = new StartFrom(StartKind.Time, Time: time);
                    return true;
                }

                return false;
        }
    }
}

/// <summary>Where a reader starts.</summary>
/// <param name="Position">Its cursor. Of a position beyond the end it is that position where the hot log may have lost what was there.</param>
/// <param name="Gap">For a position beyond the end: what it must be told.</param>
/// <param name="Tail">Where the stream ends.</param>
internal sealed record ResolvedStart(StreamPosition Position, Gap? Gap, StreamTail Tail);

/// <summary>Turns what a client asks for into a cursor.</summary>
internal sealed class StartResolver(TierReader tiers, PartitionFence fence, IOptions<DeliveryOptions> options, TimeProvider time)
{
    private static readonly TimeSpan HealingPoll = TimeSpan.FromMilliseconds(100);

    /// <summary>Resolves a start.</summary>
    /// <exception cref="Exception">Redis or the archive is away.</exception>
    public async Task<ResolvedStart> ResolveAsync(string stream, StartFrom from, TierSet set, CancellationToken cancellationToken)
    {
        switch (from.Kind)
        {
            case StartKind.Now:
                var now = await tiers.ReadTailAsync(stream, set, cancellationToken);
                return new ResolvedStart(now.Last, null, now);
            case StartKind.Time:
                var position = await tiers.FindByTimeAsync(stream, from.Time, set, cancellationToken);
                return new ResolvedStart(position, null, await tiers.ReadTailAsync(stream, set, cancellationToken));
            case StartKind.Position:
                var tail = await tiers.ReadTailAsync(stream, set, cancellationToken);
                if (from.Position > tail.Last && set.HasFlag(TierSet.Log))
                {
                    var epoch = await HealedAsync(StreamName.PartitionOf(stream), cancellationToken);
                    tail = await tiers.ReadTailAsync(stream, set, cancellationToken);
                    if (from.Position > tail.Last && from.Position.Epoch < epoch.Value)
                    {
                        // Lost. It stays where it is: whatever comes is later, and what a late publisher puts back in place it has had.
                        return new ResolvedStart(from.Position, new Gap(from.Position, tail.Last, null, GapReasons.Epoch), tail);
                    }
                }

                return from.Position > tail.Last
                    ? new ResolvedStart(tail.Last, new Gap(from.Position, tail.Last, null, GapReasons.Epoch), tail)
                    : new ResolvedStart(from.Position, null, tail);
            default:
                return new ResolvedStart(StreamPosition.Zero, null, await tiers.ReadTailAsync(stream, set, cancellationToken));
        }
    }

    /// <summary>The reader has had more than there is: perhaps Redis has lost it, and publishers are about to put it back.</summary>
    private async Task<PartitionEpoch> HealedAsync(int partition, CancellationToken cancellationToken)
    {
        var start = time.GetTimestamp();
        while (true)
        {
            var epoch = await fence.CheckAsync(partition, cancellationToken);
            if (!epoch.IsHealing || time.GetElapsedTime(start) >= options.Value.BorderPatience)
            {
                return epoch;
            }

            await Task.Delay(HealingPoll, time, cancellationToken);
        }
    }
}
