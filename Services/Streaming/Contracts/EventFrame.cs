using System.Buffers.Binary;
using System.Text;
using System.Text.Json;

namespace AspireStreaming.Streaming.Contracts;

/// <summary>
/// An event as the hot log stores it: self-delimiting, so that frames can be concatenated, and ready to be spliced into a
/// delivered event without parsing. Layout: u32 length of what follows (little endian), u8 version, u8 flags, u16 length of the
/// type (little endian), the type in UTF-8, then the JSON of the event without its opening brace:
/// <c>"specversion":"1.0","id":…,"source":…,"type":…,["subject":…,]"time":…,"datacontenttype":…,[extensions,][data]}</c>.
/// </summary>
/// <param name="Bytes">The whole frame, length prefix included.</param>
public readonly record struct EventFrame(ReadOnlyMemory<byte> Bytes)
{
    private const int HeaderLength = 8;
    private const byte Version = 1;

    /// <summary>The flags.</summary>
    public EventFlags Flags => (EventFlags)Bytes.Span[5];

    /// <summary>The event's type, UTF-8.</summary>
    public ReadOnlyMemory<byte> Type => Bytes.Slice(HeaderLength, TypeLength);

    /// <summary>The event's JSON without its opening brace.</summary>
    public ReadOnlyMemory<byte> Json => Bytes[(HeaderLength + TypeLength)..];

    private int TypeLength => BinaryPrimitives.ReadUInt16LittleEndian(Bytes.Span[6..]);

    /// <summary>The event's type as a string; allocates.</summary>
    public string TypeName() => Encoding.UTF8.GetString(Type.Span);

    /// <summary>Encodes a frame.</summary>
    /// <param name="type">At most 65,535 bytes in UTF-8.</param>
    /// <param name="flags">The flags.</param>
    /// <param name="json">The event's JSON without its opening brace.</param>
    public static byte[] Encode(string type, EventFlags flags, ReadOnlySpan<byte> json)
    {
        var typeLength = Encoding.UTF8.GetByteCount(type);
        var bytes = new byte[HeaderLength + typeLength + json.Length];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, (uint)(bytes.Length - 4));
        bytes[4] = Version;
        bytes[5] = (byte)flags;
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(6), checked((ushort)typeLength));
        Encoding.UTF8.GetBytes(type, bytes.AsSpan(HeaderLength));
        json.CopyTo(bytes.AsSpan(HeaderLength + typeLength));
        return bytes;
    }

    /// <summary>Of an event that was appended again after a fault, the position that it had first; null for any other.</summary>
    public StreamPosition? FirstPosition()
    {
        if ((Flags & EventFlags.Repeated) == 0)
        {
            return null;
        }

        // It stands before anything in which a publisher could have written the same, and publishers may not use the name.
        var name = ",\"firstposition\":\""u8;
        var json = Json.Span;
        var start = json.IndexOf(name);
        if (start < 0)
        {
            return null;
        }

        var value = json[(start + name.Length)..];
        var end = value.IndexOf((byte)'"');
        return end > 0 && StreamPosition.TryParse(value[..end], out var position) ? position : null;
    }

    /// <summary>Offset in <see cref="Bytes"/> at which a further extension attribute goes: behind <c>datacontenttype</c>.</summary>
    internal int ExtensionsEnd()
    {
        // A brace in front makes it whole JSON, one byte longer than what is stored.
        var start = HeaderLength + TypeLength - 1;
        byte[] json = [(byte)'{', .. Json.Span];
        var reader = new Utf8JsonReader(json);
        reader.Read();
        var end = 0L;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isLast = reader.ValueTextEquals("datacontenttype"u8);
            reader.Skip();
            end = reader.BytesConsumed;
            if (isLast)
            {
                break;
            }
        }

        return start + (int)end;
    }

    /// <summary>Takes the first frame off concatenated frames.</summary>
    /// <returns>False when <paramref name="frames"/> is empty.</returns>
    /// <exception cref="InvalidDataException">The bytes are no frames, or of a newer version.</exception>
    public static bool TryTake(ref ReadOnlyMemory<byte> frames, out EventFrame frame)
    {
        frame = default;
        if (frames.IsEmpty)
        {
            return false;
        }

        var span = frames.Span;
        if (span.Length < HeaderLength)
        {
            throw new InvalidDataException($"A stored frame is cut off after {span.Length} bytes.");
        }

        var length = BinaryPrimitives.ReadUInt32LittleEndian(span) + 4L;
        if (length < HeaderLength || length > span.Length || HeaderLength + BinaryPrimitives.ReadUInt16LittleEndian(span[6..]) > length)
        {
            throw new InvalidDataException($"A stored frame says that it has {length} bytes where {span.Length} are left.");
        }

        if (span[4] != Version)
        {
            throw new InvalidDataException($"A stored frame has version {span[4]}; this program reads version {Version}.");
        }

        frame = new EventFrame(frames[..(int)length]);
        frames = frames[(int)length..];
        return true;
    }

    /// <summary>Reads bytes that should hold exactly one frame.</summary>
    /// <returns>False when they do not.</returns>
    internal static bool TryRead(ReadOnlyMemory<byte> bytes, out EventFrame frame)
    {
        var rest = bytes;
        try
        {
            return TryTake(ref rest, out frame) && rest.IsEmpty;
        }
        catch (InvalidDataException)
        {
            frame = default;
            return false;
        }
    }

    /// <summary>Reads bytes that hold exactly one frame.</summary>
    /// <exception cref="InvalidDataException">They do not.</exception>
    public static EventFrame Read(ReadOnlyMemory<byte> bytes)
    {
        var rest = bytes;
        return TryTake(ref rest, out var frame) && rest.IsEmpty
            ? frame
            : throw new InvalidDataException($"A stored entry of {bytes.Length} bytes does not hold exactly one frame.");
    }
}
