using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.Archive.Writing;

/// <summary>What a batch adds to a stream.</summary>
internal sealed class StreamTally(int partition, StreamPosition first)
{
    /// <summary>The stream's partition.</summary>
    public int Partition { get; } = partition;

    public StreamPosition First { get; private set; } = first;

    public StreamPosition Last { get; private set; } = first;

    public long RecordedAt { get; private set; } = long.MinValue;

    public DateOnly FirstDay { get; private set; } = DateOnly.MaxValue;

    public DateOnly LastDay { get; private set; } = DateOnly.MinValue;

    public string? EndState { get; private set; }

    public string? EndType { get; private set; }

    /// <summary>Rows of this batch.</summary>
    public long Rows { get; private set; }

    /// <summary>Those of them that the transaction at work has inserted; the others were there already, or died.</summary>
    public long Inserted { get; set; }

    /// <summary>Takes an event in.</summary>
    /// <param name="position">Its position.</param>
    /// <param name="recordedAt">Unix milliseconds.</param>
    /// <param name="day">The UTC day of that.</param>
    /// <param name="flags">Its flags.</param>
    /// <param name="frame">The event itself; default when it is damaged and has no row.</param>
    public void Add(StreamPosition position, long recordedAt, DateOnly day, EventFlags flags, EventFrame frame)
    {
        First = position < First ? position : First;
        Last = position > Last ? position : Last;
        RecordedAt = Math.Max(RecordedAt, recordedAt);
        FirstDay = day < FirstDay ? day : FirstDay;
        LastDay = day > LastDay ? day : LastDay;
        if ((flags & EventFlags.Terminal) != 0)
        {
            EndType = frame.TypeName();
            EndState = StreamStates.AfterTerminal(EndType);
        }

        Rows += frame.Bytes.IsEmpty ? 0 : 1;
    }
}
