using System.Buffers.Text;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.Streaming.Redis;

/// <summary>Consecutive events of one stream that one append wrote, as wake messages and the archive log carry them.</summary>
/// <param name="First">Position of the first event; of a message without events, the position it speaks of.</param>
/// <param name="RecordedAt">When they were recorded, Unix milliseconds.</param>
/// <param name="Previous">The link on the first event of a later epoch.</param>
/// <param name="Count">Number of events.</param>
/// <param name="Frames">Their frames; empty where a wake message leaves them out.</param>
public readonly record struct LogBatch(StreamPosition First, long RecordedAt, StreamPosition? Previous, int Count, ReadOnlyMemory<byte> Frames)
{
    /// <summary>Position of the last event.</summary>
    public StreamPosition Last => First with { Sequence = First.Sequence + Math.Max(Count - 1, 0) };

    /// <summary>The events, in order.</summary>
    /// <exception cref="InvalidDataException">The frames are damaged, or not <see cref="Count"/> of them.</exception>
    public StoredEvent[] ReadEvents() => ReadEvents(0, static (_, stored) => stored);

    /// <summary>The events, in order, each in another form.</summary>
    /// <param name="state">Given to <paramref name="convert"/>.</param>
    /// <param name="convert">Makes the form; what it is given lies in <see cref="Frames"/>.</param>
    /// <inheritdoc cref="ReadEvents()" path="/exception"/>
    public T[] ReadEvents<TState, T>(TState state, Func<TState, StoredEvent, T> convert)
    {
        var events = new T[Count];
        var frames = Frames;
        for (var index = 0; index < events.Length; index++)
        {
            if (!EventFrame.TryTake(ref frames, out var frame))
            {
                throw new InvalidDataException($"A batch at {First} says that it has {Count} events and has {index}.");
            }

            events[index] = convert(state, new StoredEvent(First with { Sequence = First.Sequence + index }, RecordedAt, frame, index == 0 ? Previous : null));
        }

        return frames.IsEmpty ? events : throw new InvalidDataException($"A batch at {First} has more than the {Count} events it says.");
    }

    /// <summary>Reads <c>&lt;position&gt; &lt;recorded&gt; &lt;previous or -&gt; &lt;count&gt;</c>.</summary>
    internal static LogBatch Parse(ReadOnlySpan<byte> header, ReadOnlyMemory<byte> frames)
    {
        Span<Range> parts = stackalloc Range[5];
        var count = 0;
        foreach (var range in header.Split((byte)' '))
        {
            if (count == parts.Length)
            {
                break;
            }

            parts[count++] = range;
        }

        if (count == 4
            && StreamPosition.TryParse(header[parts[0]], out var first)
            && Utf8Parser.TryParse(header[parts[1]], out long recordedAt, out _)
            && Utf8Parser.TryParse(header[parts[3]], out int events, out _))
        {
            var previous = header[parts[2]].SequenceEqual("-"u8) ? (StreamPosition?)null : StreamPosition.Parse(header[parts[2]]);
            return new LogBatch(first, recordedAt, previous, events, frames);
        }

        throw new InvalidDataException("A batch header of the hot log is damaged.");
    }
}
