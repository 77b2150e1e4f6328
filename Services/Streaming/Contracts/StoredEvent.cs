using System.Buffers;
using System.Buffers.Text;
using System.Text;

namespace AspireStreaming.Streaming.Contracts;

/// <summary>An event with its place in a stream, from whichever tier it was read.</summary>
/// <param name="Position">Its position.</param>
/// <param name="RecordedAt">When the hot log stamped it, Unix milliseconds; never falls within a stream.</param>
/// <param name="Frame">The event.</param>
/// <param name="Previous">
/// On the first event of a later epoch: the last position that the hot log knew of the epoch before; null otherwise.
/// </param>
public readonly record struct StoredEvent(StreamPosition Position, long RecordedAt, EventFrame Frame, StreamPosition? Previous = null)
{
    /// <summary>
    /// Writes the delivered event, one line of JSON:
    /// <c>{"stream":…,"position":…,"sequence":…,"recordedtime":…,</c> followed by the stored JSON as it is.
    /// </summary>
    /// <param name="stream">A valid stream name; its characters need no escaping.</param>
    /// <param name="writer">Receives UTF-8.</param>
    public void WriteDelivered(string stream, IBufferWriter<byte> writer)
    {
        var json = Frame.Json.Span;
        var span = writer.GetSpan(stream.Length + json.Length + 160);
        var length = 0;
        Append(span, ref length, "{\"stream\":\""u8);
        length += Encoding.ASCII.GetBytes(stream, span[length..]);
        Append(span, ref length, "\",\"position\":\""u8);
        Position.TryFormat(span[length..], out var written, default, null);
        length += written;
        Append(span, ref length, "\",\"sequence\":"u8);
        Utf8Formatter.TryFormat(Position.Sequence, span[length..], out written);
        length += written;
        Append(span, ref length, ",\"recordedtime\":\""u8);
        length += Rfc3339.Format(RecordedAt, span[length..]);
        Append(span, ref length, "\","u8);
        Append(span, ref length, json);
        writer.Advance(length);

        static void Append(Span<byte> span, ref int length, ReadOnlySpan<byte> bytes)
        {
            bytes.CopyTo(span[length..]);
            length += bytes.Length;
        }
    }
}
