using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;

namespace AspireStreaming.PublisherApi.Events;

/// <summary>The events of one append while they are being read.</summary>
internal sealed class EventBatch(string? idempotencyKey = null)
{
    /// <summary>Stem of the ids that are generated for this append.</summary>
    public string Attempt { get; } = GeneratedId.NewAttempt();

    /// <summary>Stands for the id of a single event that has none.</summary>
    public string? IdempotencyKey { get; } = idempotencyKey;

    public List<AppendEvent> Events { get; } = new(1);

    /// <summary>Bytes of all frames.</summary>
    public long Bytes { get; private set; }

    /// <summary>Whether the last event ends the stream.</summary>
    public bool IsEnded => Events.Count > 0 && Events[^1].Flags.HasFlag(EventFlags.Terminal);

    public void Add(in AppendEvent item)
    {
        Events.Add(item);
        Bytes += item.Frame.Length;
    }

    public AppendRequest ToRequest(string stream, StreamPosition? expected) =>
        new() { Stream = stream, Events = Events, Expected = expected, Attempt = Attempt };
}
