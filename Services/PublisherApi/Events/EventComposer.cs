using System.Buffers;
using System.Collections.Frozen;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;

namespace AspireStreaming.PublisherApi.Events;

/// <summary>
/// Turns checked drafts into frames. Its scratch buffers belong to one thread: between <see cref="Begin"/> and
/// <see cref="Compose"/> nothing may be awaited.
/// </summary>
/// <remarks>Hot path: per event it allocates the frame and nothing else, but for a generated id.</remarks>
internal sealed class EventComposer
{
    private const string DefaultSource = "/publisher";

    /// <summary>Scratch buffers above this are given up after use, so that one large event does not stay in memory for good.</summary>
    private const int MaxKeptScratch = 256 << 10;

    [ThreadStatic]
    private static Scratch? _scratch;

    private readonly PublisherOptions _options;
    private readonly TimeProvider _time;
    private readonly FrozenSet<string> _terminal;
    private readonly FrozenSet<string> _critical;

    public EventComposer(PublisherOptions options, TimeProvider time)
    {
        _options = options;
        _time = time;
        _terminal = (options.TerminalTypes ?? [.. PublisherOptions.DefaultTerminalTypes]).ToFrozenSet(StringComparer.Ordinal);
        _critical = (options.CriticalTypes ?? [.. PublisherOptions.DefaultCriticalTypes]).ToFrozenSet(StringComparer.Ordinal);
    }

    /// <summary>Starts an event: returns the buffer for its extensions, each written as <c>,"name":value</c>.</summary>
    public static ArrayBufferWriter<byte> Begin()
    {
        var scratch = _scratch ??= new Scratch();
        scratch.Extensions.ResetWrittenCount();
        return scratch.Extensions;
    }

    /// <summary>Adds the event to the batch.</summary>
    /// <param name="draft">Its attributes; its extensions are in the buffer that <see cref="Begin"/> gave.</param>
    /// <param name="batch">The batch.</param>
    /// <param name="index">Its index for messages; null where there is only one.</param>
    /// <param name="alone">Whether it is the only event of its request, so that the request's idempotency key stands for its id.</param>
    public EventFault? Compose(ref EventDraft draft, EventBatch batch, int? index, bool alone)
    {
        if (draft.Type is not { } type)
        {
            return EventFault.Invalid("type", "'type' is required.", index);
        }

        if (batch.IsEnded)
        {
            var ended = batch.Events.Count - 1;
            return EventFault.Invalid("type", $"A terminal event ({batch.Events[ended].Type}) must be the last of its batch.", ended);
        }

        var source = draft.Source ?? DefaultSource;
        var id = draft.Id;
        if (id is null && batch.IdempotencyKey is { } key)
        {
            if (!alone)
            {
                return EventFault.Invalid(
                    "id", "Idempotency-Key stands for the id of a single event; the events of a batch need an 'id' each.", index);
            }

            id = key;
        }

        var generated = id is null;
        id ??= GeneratedId.For(batch.Attempt, batch.Events.Count);

        var flags = (_terminal.Contains(type) ? EventFlags.Terminal : EventFlags.None)
            | (draft.Critical || _critical.Contains(type) ? EventFlags.Critical : EventFlags.None);
        var scratch = _scratch!;
        WriteJson(ref draft, id, source, type, scratch.Json, scratch.Extensions.WrittenSpan);
        try
        {
            var length = scratch.Json.WrittenCount + 1;
            if (length > _options.MaxEventBytes)
            {
                return EventFault.TooLarge(
                    $"The event has {length} bytes; an event has at most {_options.MaxEventBytes}.", _options.MaxEventBytes, index: index);
            }

            batch.Add(new AppendEvent(source, id, generated, type, flags, EventFrame.Encode(type, flags, scratch.Json.WrittenSpan)));
            return null;
        }
        finally
        {
            if (scratch.Json.Capacity > MaxKeptScratch)
            {
                _scratch = null;
            }
        }
    }

    private void WriteJson(
        ref EventDraft draft, string id, string source, string type, ArrayBufferWriter<byte> writer, ReadOnlySpan<byte> extensions)
    {
        writer.ResetWrittenCount();
        writer.Write("\"specversion\":\"1.0\",\"id\":"u8);
        JsonText.WriteString(id, writer);
        writer.Write(",\"source\":"u8);
        JsonText.WriteString(source, writer);
        writer.Write(",\"type\":"u8);
        JsonText.WriteString(type, writer);
        if (!draft.Subject.IsEmpty)
        {
            writer.Write(",\"subject\":"u8);
            writer.Write(draft.Subject);
        }

        writer.Write(",\"time\":"u8);
        if (draft.Time.IsEmpty)
        {
            var target = writer.GetSpan(Rfc3339.Length + 2);
            target[0] = (byte)'"';
            var written = Rfc3339.Format(_time.GetUtcNow().ToUnixTimeMilliseconds(), target[1..]);
            target[written + 1] = (byte)'"';
            writer.Advance(written + 2);
        }
        else
        {
            writer.Write(draft.Time);
        }

        writer.Write(",\"datacontenttype\":"u8);
        writer.Write(draft.DataContentType.IsEmpty ? "\"application/json\""u8 : draft.DataContentType);
        writer.Write(extensions);
        if (draft.DataForm == DataForm.Json)
        {
            writer.Write(",\"data\":"u8);
            JsonText.WriteCompact(draft.Data, writer);
        }
        else if (draft.DataForm == DataForm.Base64)
        {
            writer.Write(",\"data_base64\":"u8);
            writer.Write(draft.Data);
        }

        writer.Write("}"u8);
    }

    private sealed class Scratch
    {
        public ArrayBufferWriter<byte> Json { get; } = new(2048);

        public ArrayBufferWriter<byte> Extensions { get; } = new(512);
    }
}
