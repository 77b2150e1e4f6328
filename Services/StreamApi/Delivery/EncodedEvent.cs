using System.Buffers;
using System.Text;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;

namespace AspireStreaming.StreamApi.Delivery;

/// <summary>
/// An event encoded for delivery, once, and shared by all its readers; immutable. One buffer holds the whole SSE frame
/// <c>id: …\nevent: …\ndata: …\n\n</c>; every other form is a part of it.
/// </summary>
internal sealed record EncodedEvent
{
    private const int MaxKeptBuffer = 1 << 20;

    /// <summary>What it costs beside its frame, bytes.</summary>
    private const int ObjectBytes = 120;

    [ThreadStatic]
    private static ArrayBufferWriter<byte>? _buffer;

    private byte[] _frame = [];
    private int _typeStart;
    private int _dataStart;
    private object? _form;

    private EncodedEvent()
    {
    }

    /// <summary>Its position.</summary>
    public StreamPosition Position { get; private init; }

    /// <summary>On the first event of a later epoch: the last position known of the epoch before.</summary>
    public StreamPosition? Previous { get; init; }

    /// <summary>When the hot log stamped it, Unix milliseconds.</summary>
    public long RecordedAt { get; private init; }

    /// <summary>What it is.</summary>
    public EventFlags Flags { get; private init; }

    /// <summary>Of an event that was appended again after a fault and stands at its later position, the first.</summary>
    public StreamPosition? FirstPosition { get; private init; }

    /// <summary>For the first event of an epoch: whether the archive was asked for what lies before.</summary>
    public bool BorderVerified { get; init; } = true;

    /// <summary>The SSE frame with its event name.</summary>
    public ReadOnlyMemory<byte> NamedFrame => _frame;

    /// <summary>The line <c>id: …</c> with its line feed.</summary>
    public ReadOnlyMemory<byte> IdLine => _frame.AsMemory(0, _typeStart);

    /// <summary>The frame without its id line.</summary>
    public ReadOnlyMemory<byte> NamedBody => _frame.AsMemory(_typeStart);

    /// <summary>The frame without id and event name.</summary>
    public ReadOnlyMemory<byte> UnnamedBody => _frame.AsMemory(_dataStart);

    /// <summary>The type, UTF-8.</summary>
    public ReadOnlyMemory<byte> Type => _frame.AsMemory(_typeStart + 7, _dataStart - _typeStart - 8);

    /// <summary>The delivered event, one line of JSON.</summary>
    public ReadOnlyMemory<byte> Json => _frame.AsMemory(_dataStart + 6, _frame.Length - _dataStart - 8);

    /// <summary>What it costs in memory, bytes.</summary>
    public int Size { get; private init; }

    /// <summary>Whether it ends its stream.</summary>
    public bool IsTerminal => (Flags & EventFlags.Terminal) != 0;

    /// <summary>The end of the stream that a terminal event makes.</summary>
    public StreamEnd ToEnd() => new(Encoding.UTF8.GetString(Type.Span), Position);

    /// <summary>Another form of the event, made on its first use.</summary>
    public object GetOrAddForm(Func<EncodedEvent, object> make)
    {
        if (Volatile.Read(ref _form) is { } form)
        {
            return form;
        }

        form = make(this);
        return Interlocked.CompareExchange(ref _form, form, null) ?? form;
    }

    /// <summary>Encodes a stored event.</summary>
    public static EncodedEvent Encode(string stream, in StoredEvent stored)
    {
        var buffer = _buffer ??= new ArrayBufferWriter<byte>(4096);
        buffer.ResetWrittenCount();
        buffer.Write("id: "u8);
        stored.Position.TryFormat(buffer.GetSpan(StreamPosition.MaxTextLength), out var written, default, null);
        buffer.Advance(written);
        buffer.Write("\n"u8);
        var typeStart = buffer.WrittenCount;
        buffer.Write("event: "u8);
        buffer.Write(stored.Frame.Type.Span);
        buffer.Write("\n"u8);
        var dataStart = buffer.WrittenCount;
        buffer.Write("data: "u8);
        stored.WriteDelivered(stream, buffer);
        buffer.Write("\n\n"u8);
        var frame = buffer.WrittenSpan.ToArray();
        if (buffer.Capacity > MaxKeptBuffer)
        {
            _buffer = null;
        }

        return new EncodedEvent
        {
            Position = stored.Position,
            Previous = stored.Previous,
            RecordedAt = stored.RecordedAt,
            Flags = stored.Frame.Flags,
            FirstPosition = stored.Frame.FirstPosition() is { } first && first != stored.Position ? first : null,
            Size = frame.Length + ObjectBytes,
            _frame = frame,
            _typeStart = typeStart,
            _dataStart = dataStart,
        };
    }

    /// <summary>Encodes the events of one append in order; nothing of its bytes is kept.</summary>
    public static EncodedEvent[] Encode(string stream, in LogBatch batch) =>
        batch.ReadEvents(stream, static (name, stored) => Encode(name, stored));

    /// <summary>Encodes stored events in order.</summary>
    public static EncodedEvent[] Encode(string stream, ReadOnlySpan<StoredEvent> stored)
    {
        var events = new EncodedEvent[stored.Length];
        for (var index = 0; index < events.Length; index++)
        {
            events[index] = Encode(stream, stored[index]);
        }

        return events;
    }
}
