using System.Text.Json;
using AspireStreaming.Client;
using AspireStreaming.Client.Http;

namespace AspireStreaming.Cli.Audit;

/// <summary>What the archive's audit of a stream found.</summary>
internal sealed record StreamAudit
{
    public required string Stream { get; init; }

    /// <summary>Archived events.</summary>
    public required long Events { get; init; }

    /// <summary>Events that the archive had to refuse; their positions count as present.</summary>
    public long Dead { get; init; }

    public long Epochs { get; init; }

    public StreamPosition? First { get; init; }

    public StreamPosition? Last { get; init; }

    /// <summary>The first holes; the service lists no more than a hundred.</summary>
    public required IReadOnlyList<StreamGap> Holes { get; init; }

    public required long HoleCount { get; init; }

    /// <summary>How often a position occurs once more.</summary>
    public required long Duplicates { get; init; }

    /// <summary>Identities, source and id, that stand at more than one position.</summary>
    public required long RepeatedIds { get; init; }

    /// <summary>Whether retention has dropped the beginning.</summary>
    public bool Trimmed { get; init; }

    public StreamPosition? ArchivedTo { get; init; }

    /// <summary>The last position in the hot log; null when it is not known there.</summary>
    public StreamPosition? HotLast { get; init; }

    public bool IsWell => HoleCount == 0 && Duplicates == 0 && RepeatedIds == 0;

    /// <summary>Whether the hot log has events that the archive does not have yet.</summary>
    public bool IsBehind => HotLast > (ArchivedTo ?? StreamPosition.Zero);

    /// <summary>Events that are known to be missing; holes of unknown size count nothing.</summary>
    public long Missed => Holes.Sum(static hole => hole.Missed ?? 0);

    /// <summary>Reads the service's answer; null when it is something else.</summary>
    public static StreamAudit? Read(JsonElement root)
    {
        if (root.String("stream") is not { } stream
            || root.Number("events") is not { } events
            || root.Number("holeCount") is not { } holeCount
            || root.Number("duplicates") is not { } duplicates
            || root.Number("repeatedIds") is not { } repeatedIds
            || !root.TryGetProperty("holes", out var holes)
            || holes.ValueKind != JsonValueKind.Array)
        {
            return null;
        }

        return new StreamAudit
        {
            Stream = stream,
            Events = events,
            Dead = root.Number("dead") ?? 0,
            Epochs = root.Number("epochs") ?? 0,
            First = root.Position("first"),
            Last = root.Position("last"),
            Holes = [.. holes.EnumerateArray().Select(StreamGap.Read).OfType<StreamGap>()],
            HoleCount = holeCount,
            Duplicates = duplicates,
            RepeatedIds = repeatedIds,
            Trimmed = root.TryGetProperty("trimmed", out var trimmed) && trimmed.ValueKind == JsonValueKind.True,
            ArchivedTo = root.Position("archivedTo"),
            HotLast = root.Position("hotLast"),
        };
    }
}
