using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;

namespace AspireStreaming.PublisherApi.Healing;

/// <summary>An acknowledged append or deletion, kept until the archive has it.</summary>
internal sealed class Retained
{
    /// <summary>About what an event costs beside its frame.</summary>
    private const int EventOverhead = 200;

    private Retained(string stream, StreamPosition last, StreamPosition logId, long bytes)
    {
        Stream = stream;
        Last = last;
        LogId = logId;
        Bytes = bytes + EventOverhead;
    }

    public string Stream { get; }

    /// <summary>The last position of it.</summary>
    public StreamPosition Last { get; }

    /// <summary>Where the archive log has it, at the latest.</summary>
    public StreamPosition LogId { get; set; }

    public long Bytes { get; }

    /// <summary>Grows with each that is kept, over all partitions.</summary>
    public long Order { get; set; }

    /// <summary>Its events; empty for a deletion.</summary>
    public IReadOnlyList<AppendEvent> Events { get; private init; } = [];

    public StreamPosition First { get; private init; }

    public long RecordedAt { get; private init; }

    public StreamPosition? Previous { get; private init; }

    /// <summary>Whether it is a deletion, of everything up to <see cref="Last"/>.</summary>
    public bool IsDeletion { get; private init; }

    public bool FromArchive { get; private init; }

    /// <summary>The type of its last event, if that ended the stream.</summary>
    public string? EndType { get; private init; }

    public static Retained Append(
        string stream, StreamPosition first, long recordedAt, StreamPosition? previous, IReadOnlyList<AppendEvent> events, StreamPosition logId)
    {
        var bytes = 0L;
        for (var index = 0; index < events.Count; index++)
        {
            bytes += events[index].Frame.Length + EventOverhead;
        }

        var last = events[^1];
        return new Retained(stream, first with { Sequence = first.Sequence + events.Count - 1 }, logId, bytes)
        {
            First = first,
            RecordedAt = recordedAt,
            Previous = previous,
            Events = events,
            EndType = last.Flags.HasFlag(EventFlags.Terminal) ? last.Type : null,
        };
    }

    public static Retained Deletion(string stream, StreamPosition upTo, bool fromArchive, StreamPosition logId) =>
        new(stream, upTo, logId, 0) { IsDeletion = true, FromArchive = fromArchive };

    public bool Covers(string stream, StreamPosition position) =>
        !IsDeletion && position.Epoch == First.Epoch && position >= First && position <= Last && stream == Stream;

    /// <summary>The events as they are staged.</summary>
    public IEnumerable<HeldEvent> ToHeld()
    {
        for (var index = 0; index < Events.Count; index++)
        {
            var item = Events[index];
            yield return new HeldEvent(
                First with { Sequence = First.Sequence + index },
                RecordedAt,
                index == 0 ? Previous : null,
                item.IdGenerated ? [] : EventIdentity.Of(item.Source, item.Id),
                item.Frame);
        }
    }
}
