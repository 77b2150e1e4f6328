using System.Buffers.Binary;
using System.Text;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;

namespace AspireStreaming.PublisherApi.Healing;

/// <summary>
/// One kept append or deletion in its bytes: stream, type of a last event that ended it, when it was recorded, what it follows, then of
/// each event the source and id that were given with it, and its frame. Texts and frames have their length before them.
/// </summary>
internal static class RetainedRecord
{
    private const int LengthBytes = 4;
    private const int FixedBytes = sizeof(long) + (2 * sizeof(long)) + 1;
    private const byte HasPrevious = 1;
    private const byte HasEndType = 2;

    /// <summary>Stands for the length of a text that is not there.</summary>
    private const int None = -1;

    /// <summary>How many bytes an append takes.</summary>
    public static int Measure(string stream, IReadOnlyList<AppendEvent> events)
    {
        var length = FixedBytes + TextBytes(stream);
        for (var index = 0; index < events.Count; index++)
        {
            var item = events[index];
            length += LengthBytes + item.Frame.Length + LengthBytes;
            if (!item.IdGenerated)
            {
                length += TextBytes(item.Source) + TextBytes(item.Id) - LengthBytes;
            }
        }

        return length + (EndTypeOf(events) is { } endType ? TextBytes(endType) : 0);
    }

    /// <summary>Writes an append into as many bytes as were measured; a deletion is one without events.</summary>
    public static void Write(Span<byte> target, string stream, long recordedAt, StreamPosition? previous, IReadOnlyList<AppendEvent> events)
    {
        var endType = EndTypeOf(events);
        target[0] = (byte)((previous is null ? 0 : HasPrevious) | (endType is null ? 0 : HasEndType));
        BinaryPrimitives.WriteInt64LittleEndian(target[1..], recordedAt);
        BinaryPrimitives.WriteInt64LittleEndian(target[9..], previous?.Epoch ?? 0);
        BinaryPrimitives.WriteInt64LittleEndian(target[17..], previous?.Sequence ?? 0);
        var rest = WriteText(target[FixedBytes..], stream);
        if (endType is not null)
        {
            rest = WriteText(rest, endType);
        }

        for (var index = 0; index < events.Count; index++)
        {
            var item = events[index];
            if (item.IdGenerated)
            {
                BinaryPrimitives.WriteInt32LittleEndian(rest, None);
                rest = rest[LengthBytes..];
            }
            else
            {
                rest = WriteText(WriteText(rest, item.Source), item.Id);
            }

            BinaryPrimitives.WriteInt32LittleEndian(rest, item.Frame.Length);
            item.Frame.CopyTo(rest[LengthBytes..]);
            rest = rest[(LengthBytes + item.Frame.Length)..];
        }
    }

    /// <summary>Whether a record is of a stream.</summary>
    public static bool IsOf(ReadOnlySpan<byte> record, string stream)
    {
        var length = BinaryPrimitives.ReadInt32LittleEndian(record[FixedBytes..]);
        return Ascii.Equals(record.Slice(FixedBytes + LengthBytes, length), stream);
    }

    /// <summary>Its stream, and the type of its last event if that ended the stream.</summary>
    public static (string Stream, string? EndType) ReadHead(ReadOnlySpan<byte> record) => ReadHead(record, out _);

    /// <summary>The whole record, as it was kept.</summary>
    public static Retained Read(ReadOnlySpan<byte> record, in RetainedEntry entry)
    {
        var (stream, endType) = ReadHead(record, out var rest);
        var events = new List<HeldEvent>(entry.Events);
        var recordedAt = BinaryPrimitives.ReadInt64LittleEndian(record[1..]);
        StreamPosition? previous = (record[0] & HasPrevious) == 0
            ? null
            : new StreamPosition(BinaryPrimitives.ReadInt64LittleEndian(record[9..]), BinaryPrimitives.ReadInt64LittleEndian(record[17..]));
        for (var index = 0; index < entry.Events; index++)
        {
            var source = ReadText(ref rest);
            var identity = source is null ? [] : EventIdentity.Of(source, ReadText(ref rest)!);
            var length = BinaryPrimitives.ReadInt32LittleEndian(rest);
            var frame = rest.Slice(LengthBytes, length).ToArray();
            rest = rest[(LengthBytes + length)..];
            events.Add(new HeldEvent(
                entry.First with { Sequence = entry.First.Sequence + index }, recordedAt, index == 0 ? previous : null, identity, frame));
        }

        return new Retained(stream, entry.Last, events, endType, entry.Deletion);
    }

    /// <param name="record">The record.</param>
    /// <param name="rest">What follows the head: the events.</param>
    private static (string Stream, string? EndType) ReadHead(ReadOnlySpan<byte> record, out ReadOnlySpan<byte> rest)
    {
        rest = record[FixedBytes..];
        return (ReadText(ref rest)!, (record[0] & HasEndType) != 0 ? ReadText(ref rest) : null);
    }

    private static string? EndTypeOf(IReadOnlyList<AppendEvent> events) =>
        events.Count > 0 && events[^1] is var last && last.Flags.HasFlag(EventFlags.Terminal) ? last.Type : null;

    private static int TextBytes(string text) => LengthBytes + Encoding.UTF8.GetByteCount(text);

    private static Span<byte> WriteText(Span<byte> target, string text)
    {
        var length = Encoding.UTF8.GetBytes(text, target[LengthBytes..]);
        BinaryPrimitives.WriteInt32LittleEndian(target, length);
        return target[(LengthBytes + length)..];
    }

    private static string? ReadText(ref ReadOnlySpan<byte> rest)
    {
        var length = BinaryPrimitives.ReadInt32LittleEndian(rest);
        rest = rest[LengthBytes..];
        if (length == None)
        {
            return null;
        }

        var text = Encoding.UTF8.GetString(rest[..length]);
        rest = rest[length..];
        return text;
    }
}
