using System.Buffers;
using System.Buffers.Text;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using AspireStreaming.PublisherApi.Http;

namespace AspireStreaming.PublisherApi.Events;

/// <summary>What a JSON body may hold.</summary>
internal enum JsonShape
{
    /// <summary>One event, or an array of them.</summary>
    EventOrArray,

    /// <summary>One event.</summary>
    Event,

    /// <summary>An array of events.</summary>
    Array,
}

/// <summary>Reads events from JSON, strictly and in one pass. Thread-safe.</summary>
/// <remarks>
/// Hot path. Values are never decoded and encoded again: <c>data</c>, extensions, subject, time and content type are copied as the
/// bytes they came as. Member names are compared after unescaping, so that a name cannot hide behind an escape.
/// </remarks>
internal sealed class EventReader
{
    /// <summary>Levels of nesting around <c>data</c>: the array and the event; and one more, so that our own message comes first.</summary>
    private const int EnvelopeDepth = 3;

    private readonly AttributeRules _rules;
    private readonly EventComposer _composer;
    private readonly JsonReaderOptions _json;
    private readonly AsciiStrings _names = new();

    public EventReader(AttributeRules rules, EventComposer composer)
    {
        _rules = rules;
        _composer = composer;
        _json = new JsonReaderOptions { MaxDepth = rules.Options.MaxNestingDepth + EnvelopeDepth };
    }

    [Flags]
    private enum Members
    {
        None = 0,
        SpecVersion = 1,
        Id = 2,
        Source = 4,
        Type = 8,
        Subject = 16,
        Time = 32,
        DataContentType = 64,
        Data = 128,
        DataBase64 = 256,
    }

    /// <summary>Adds the events of a whole body to the batch.</summary>
    public EventFault? Read(ReadOnlySpan<byte> body, JsonShape shape, EventBatch batch)
    {
        if (!Utf8.IsValid(body))
        {
            return new EventFault(ProblemKind.InvalidJson, "The body is not valid UTF-8.");
        }

        var reader = new Utf8JsonReader(body, _json);
        try
        {
            reader.Read();
            if (reader.TokenType == JsonTokenType.StartObject && shape != JsonShape.Array)
            {
                return ReadSingle(ref reader, body, batch);
            }

            if (reader.TokenType == JsonTokenType.StartArray && shape != JsonShape.Event)
            {
                return ReadArray(ref reader, body, batch);
            }

            return new EventFault(ProblemKind.InvalidEvent, shape switch
            {
                JsonShape.Event => "The body must be one event, a JSON object.",
                JsonShape.Array => "The body must be an array of events.",
                _ => "The body must be an event, a JSON object, or an array of events.",
            });
        }
        catch (JsonException exception)
        {
            return new EventFault(ProblemKind.InvalidJson, $"The body is not valid JSON: {exception.Message}");
        }
    }

    /// <summary>Adds the event of one line to the batch.</summary>
    public EventFault? ReadLine(ReadOnlySpan<byte> line, EventBatch batch)
    {
        if (!Utf8.IsValid(line))
        {
            return new EventFault(ProblemKind.InvalidJson, "The line is not valid UTF-8.");
        }

        var reader = new Utf8JsonReader(line, _json);
        try
        {
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartObject)
            {
                return new EventFault(ProblemKind.InvalidEvent, "A line must be one event, a JSON object.");
            }

            var draft = default(EventDraft);
            if (ReadEvent(ref reader, line, ref draft, null) is { } fault)
            {
                return fault;
            }

            reader.Read();
            return _composer.Compose(ref draft, batch, null, alone: false);
        }
        catch (JsonException exception)
        {
            return new EventFault(ProblemKind.InvalidJson, $"The line is not valid JSON: {exception.Message}");
        }
    }

    /// <summary>Whether <paramref name="json"/> is one well-formed JSON value, within the limit of nesting.</summary>
    public EventFault? CheckData(ReadOnlySpan<byte> json, int? index)
    {
        if (!Utf8.IsValid(json))
        {
            return EventFault.Invalid("data", "'data' is not valid UTF-8.", index);
        }

        var reader = new Utf8JsonReader(json, _json);
        try
        {
            reader.Read();
            if (SkipData(ref reader, index) is { } fault)
            {
                return fault;
            }

            reader.Read();
            return null;
        }
        catch (JsonException exception)
        {
            return EventFault.Invalid("data", $"'data' is not valid JSON: {exception.Message}", index);
        }
    }

    private EventFault? ReadSingle(ref Utf8JsonReader reader, ReadOnlySpan<byte> body, EventBatch batch)
    {
        var draft = default(EventDraft);
        if (ReadEvent(ref reader, body, ref draft, null) is { } fault)
        {
            return fault;
        }

        // Throws if anything but whitespace follows.
        reader.Read();
        return _composer.Compose(ref draft, batch, null, alone: true);
    }

    private EventFault? ReadArray(ref Utf8JsonReader reader, ReadOnlySpan<byte> body, EventBatch batch)
    {
        reader.Read();
        for (var index = 0; reader.TokenType != JsonTokenType.EndArray; index++)
        {
            if (index >= _rules.Options.MaxBatchEvents)
            {
                return EventFault.TooLarge(
                    $"A batch has at most {_rules.Options.MaxBatchEvents} events.", _rules.Options.MaxBatchEvents, index: index);
            }

            if (reader.TokenType != JsonTokenType.StartObject)
            {
                return new EventFault(ProblemKind.InvalidEvent, "An event must be a JSON object.", Index: index);
            }

            var draft = default(EventDraft);
            if (ReadEvent(ref reader, body, ref draft, index) is { } fault)
            {
                return fault;
            }

            reader.Read();
            var alone = index == 0 && reader.TokenType == JsonTokenType.EndArray;
            if (_composer.Compose(ref draft, batch, index, alone) is { } refused)
            {
                return refused;
            }
        }

        reader.Read();
        return batch.Events.Count > 0 ? null : new EventFault(ProblemKind.InvalidEvent, "A batch must have at least one event.");
    }

    /// <summary>Reads from the opening brace to the closing one.</summary>
    private EventFault? ReadEvent(ref Utf8JsonReader reader, ReadOnlySpan<byte> body, ref EventDraft draft, int? index)
    {
        var extensions = EventComposer.Begin();
        var seen = Members.None;
        Span<byte> unescaped = stackalloc byte[AttributeRules.MaxExtensionNameLength];
        Span<byte> names = default;
        byte[]? rented = null;
        var extensionCount = 0;
        try
        {
            while (true)
            {
                reader.Read();
                if (reader.TokenType == JsonTokenType.EndObject)
                {
                    break;
                }

                scoped ReadOnlySpan<byte> name = reader.ValueSpan;
                if (reader.ValueIsEscaped)
                {
                    if (!TryUnescape(ref reader, unescaped, out var length))
                    {
                        return EventFault.Invalid(
                            AttributeRules.Shorten(name), $"'{AttributeRules.Shorten(name)}' is no attribute and no extension name.", index);
                    }

                    name = unescaped[..length];
                }

                var member = Find(name);
                if (member == Members.None)
                {
                    if (_rules.CheckExtensionName(name, extensionCount, index) is { } refused)
                    {
                        return refused;
                    }

                    // Slots of a fixed size: a byte for the length, then the name.
                    const int Slot = AttributeRules.MaxExtensionNameLength + 1;
                    names = rented ??= ArrayPool<byte>.Shared.Rent(_rules.Options.MaxExtensions * Slot);
                    for (var earlier = 0; earlier < extensionCount; earlier++)
                    {
                        var slot = names.Slice(earlier * Slot, Slot);
                        if (slot.Slice(1, slot[0]).SequenceEqual(name))
                        {
                            return Duplicate(name, index);
                        }
                    }

                    names[extensionCount * Slot] = (byte)name.Length;
                    name.CopyTo(names[((extensionCount * Slot) + 1)..]);
                    extensionCount++;
                    if (ReadExtension(ref reader, body, name, extensions, ref draft, index) is { } fault)
                    {
                        return fault;
                    }
                }
                else if ((seen & member) != 0)
                {
                    return Duplicate(name, index);
                }
                else
                {
                    seen |= member;
                    if (ReadMember(ref reader, body, member, ref draft, index) is { } fault)
                    {
                        return fault;
                    }
                }
            }
        }
        finally
        {
            if (rented is not null)
            {
                ArrayPool<byte>.Shared.Return(rented);
            }
        }

        return null;
    }

    private EventFault? ReadMember(ref Utf8JsonReader reader, ReadOnlySpan<byte> body, Members member, ref EventDraft draft, int? index)
    {
        reader.Read();
        if (member == Members.Data)
        {
            if (draft.DataForm != DataForm.None)
            {
                return BothData(index);
            }

            var start = (int)reader.TokenStartIndex;
            if (SkipData(ref reader, index) is { } fault)
            {
                return fault;
            }

            draft.DataForm = DataForm.Json;
            draft.Data = body[start..(int)reader.BytesConsumed];
            return null;
        }

        // CloudEvents: an attribute with the value null is one that is not given.
        if (reader.TokenType == JsonTokenType.Null)
        {
            return null;
        }

        var field = NameOf(member);
        if (reader.TokenType != JsonTokenType.String)
        {
            return EventFault.Invalid(field, $"'{field}' must be a string.", index);
        }

        var token = body[(int)reader.TokenStartIndex..(int)reader.BytesConsumed];
        if (member == Members.DataBase64)
        {
            if (draft.DataForm != DataForm.None)
            {
                return BothData(index);
            }

            draft.DataForm = DataForm.Base64;
            draft.Data = token;
            return IsBase64(ref reader) ? null : EventFault.Invalid(field, "'data_base64' is not valid base64.", index);
        }

        if (member is Members.Id or Members.Source or Members.Type)
        {
            if (!TryGetText(ref reader, cached: member != Members.Id, out var text))
            {
                return NotUnicode(field, index);
            }

            switch (member)
            {
                case Members.Id:
                    draft.Id = text;
                    return _rules.CheckText(field, text, index);
                case Members.Source:
                    draft.Source = text;
                    return _rules.CheckText(field, text, index);
                default:
                    draft.Type = text;
                    return _rules.CheckType(text, index);
            }
        }

        Span<char> buffer = stackalloc char[256];
        var count = CopyText(ref reader, buffer, out var longText);
        if (count < 0)
        {
            return NotUnicode(field, index);
        }

        var characters = longText is null ? buffer[..count] : longText.AsSpan();

        switch (member)
        {
            case Members.Subject:
                draft.Subject = token;
                return _rules.CheckText(field, characters, index);
            case Members.DataContentType:
                draft.DataContentType = token;
                return _rules.CheckText(field, characters, index);
            case Members.Time:
                draft.Time = token;
                return AttributeRules.CheckTime(characters, index);
            default:
                return AttributeRules.CheckSpecVersion(characters, index);
        }
    }

    private EventFault? ReadExtension(
        ref Utf8JsonReader reader,
        ReadOnlySpan<byte> body,
        scoped ReadOnlySpan<byte> name,
        ArrayBufferWriter<byte> extensions,
        ref EventDraft draft,
        int? index)
    {
        reader.Read();
        switch (reader.TokenType)
        {
            case JsonTokenType.Null:
                return null;
            case JsonTokenType.String when reader.ValueIsEscaped && !TryGetText(ref reader, cached: false, out _):
                return NotUnicode(Encoding.ASCII.GetString(name), index);
            case JsonTokenType.String or JsonTokenType.Number or JsonTokenType.True or JsonTokenType.False:
                break;
            default:
                return EventFault.Invalid(
                    Encoding.ASCII.GetString(name),
                    $"The extension attribute '{Encoding.ASCII.GetString(name)}' must be a string, a number or a boolean.",
                    index);
        }

        var bytes = reader.ValueSpan.Length;
        if (bytes > _rules.Options.MaxExtensionValueBytes)
        {
            return _rules.CheckExtensionValue(Encoding.ASCII.GetString(name), bytes, index);
        }

        extensions.Write(",\""u8);
        extensions.Write(name);
        extensions.Write("\":"u8);
        extensions.Write(body[(int)reader.TokenStartIndex..(int)reader.BytesConsumed]);
        draft.Critical |= name.SequenceEqual("critical"u8)
            && (reader.TokenType == JsonTokenType.True || (reader.TokenType == JsonTokenType.String && reader.ValueTextEquals("true"u8)));
        return null;
    }

    /// <summary>Moves to the end of the value that begins here.</summary>
    private EventFault? SkipData(ref Utf8JsonReader reader, int? index)
    {
        if (reader.TokenType is not (JsonTokenType.StartObject or JsonTokenType.StartArray))
        {
            return null;
        }

        var outside = reader.CurrentDepth;
        var deepest = outside + _rules.Options.MaxNestingDepth - 1;
        while (reader.Read())
        {
            if (reader.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray)
            {
                if (reader.CurrentDepth > deepest)
                {
                    return new EventFault(
                        ProblemKind.InvalidEvent,
                        $"'data' is nested deeper than {_rules.Options.MaxNestingDepth} levels.",
                        "data",
                        index,
                        _rules.Options.MaxNestingDepth);
                }
            }
            else if (reader.CurrentDepth == outside && reader.TokenType is (JsonTokenType.EndObject or JsonTokenType.EndArray))
            {
                break;
            }
        }

        return null;
    }

    private bool TryGetText(ref Utf8JsonReader reader, bool cached, out string text)
    {
        if (!reader.ValueIsEscaped)
        {
            text = cached ? _names.Get(reader.ValueSpan) : Encoding.UTF8.GetString(reader.ValueSpan);
            return true;
        }

        try
        {
            text = reader.GetString()!;
            return true;
        }
        catch (InvalidOperationException)
        {
            // An escape names half of a surrogate pair.
            text = "";
            return false;
        }
    }

    /// <summary>As <see cref="TryGetText"/>, but short text goes to the buffer instead of a string.</summary>
    /// <returns>Its length; negative when it is no text.</returns>
    private int CopyText(ref Utf8JsonReader reader, scoped Span<char> buffer, out string? longText)
    {
        longText = null;
        if (!reader.ValueIsEscaped && reader.ValueSpan.Length <= buffer.Length)
        {
            return Encoding.UTF8.GetChars(reader.ValueSpan, buffer);
        }

        return TryGetText(ref reader, cached: false, out longText) ? longText.Length : -1;
    }

    private static bool TryUnescape(ref Utf8JsonReader reader, scoped Span<byte> target, out int length)
    {
        length = 0;

        // An escape is at most six bytes for one.
        if (reader.ValueSpan.Length > target.Length * 6)
        {
            return false;
        }

        Span<byte> unescaped = stackalloc byte[AttributeRules.MaxExtensionNameLength * 6];
        try
        {
            length = reader.CopyString(unescaped);
        }
        catch (InvalidOperationException)
        {
            return false;
        }

        if (length > target.Length)
        {
            return false;
        }

        unescaped[..length].CopyTo(target);
        return true;
    }

    private static bool IsBase64(ref Utf8JsonReader reader)
    {
        if (!reader.ValueIsEscaped)
        {
            // The library's check passes over whitespace.
            return !reader.ValueSpan.Contains((byte)' ') && Base64.IsValid(reader.ValueSpan);
        }

        var buffer = ArrayPool<byte>.Shared.Rent(reader.ValueSpan.Length);
        try
        {
            var value = buffer.AsSpan(0, reader.CopyString(buffer));
            return !value.ContainsAny(" \t\r\n"u8) && Base64.IsValid(value);
        }
        catch (InvalidOperationException)
        {
            return false;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static Members Find(ReadOnlySpan<byte> name) => name.Length switch
    {
        2 when name.SequenceEqual("id"u8) => Members.Id,
        4 when name.SequenceEqual("type"u8) => Members.Type,
        4 when name.SequenceEqual("data"u8) => Members.Data,
        4 when name.SequenceEqual("time"u8) => Members.Time,
        6 when name.SequenceEqual("source"u8) => Members.Source,
        7 when name.SequenceEqual("subject"u8) => Members.Subject,
        11 when name.SequenceEqual("specversion"u8) => Members.SpecVersion,
        11 when name.SequenceEqual("data_base64"u8) => Members.DataBase64,
        15 when name.SequenceEqual("datacontenttype"u8) => Members.DataContentType,
        _ => Members.None,
    };

    private static string NameOf(Members member) => member switch
    {
        Members.Id => "id",
        Members.Type => "type",
        Members.Data => "data",
        Members.Time => "time",
        Members.Source => "source",
        Members.Subject => "subject",
        Members.DataBase64 => "data_base64",
        Members.DataContentType => "datacontenttype",
        _ => "specversion",
    };

    private static EventFault Duplicate(ReadOnlySpan<byte> name, int? index) =>
        EventFault.Invalid(Encoding.ASCII.GetString(name), $"'{Encoding.ASCII.GetString(name)}' is given twice.", index);

    private static EventFault NotUnicode(string field, int? index) =>
        EventFault.Invalid(field, $"'{field}' is not valid Unicode text.", index);

    private static EventFault BothData(int? index) =>
        EventFault.Invalid("data_base64", "An event has 'data' or 'data_base64', not both.", index);
}
