using System.Buffers;
using System.Text;
using AspireStreaming.PublisherApi.Http;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.PublisherApi.Events;

/// <summary>What an event's attributes may look like, for every form in which events arrive.</summary>
internal sealed class AttributeRules(PublisherOptions options)
{
    public const int MaxExtensionNameLength = 20;

    private static readonly SearchValues<byte> NameBytes = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789"u8);

    public PublisherOptions Options { get; } = options;

    /// <summary>Names that the hot log or the attributes themselves use.</summary>
    public static bool IsReserved(ReadOnlySpan<byte> name) =>
        name.SequenceEqual("stream"u8) || name.SequenceEqual("position"u8) || name.SequenceEqual("sequence"u8)
        || name.SequenceEqual("recordedtime"u8) || name.SequenceEqual("firstposition"u8);

    /// <summary>Checks an extension's name; <paramref name="count"/> extensions came before it.</summary>
    public EventFault? CheckExtensionName(ReadOnlySpan<byte> name, int count, int? index)
    {
        if (IsReserved(name))
        {
            var reserved = Encoding.ASCII.GetString(name);
            return EventFault.Invalid(reserved, $"'{reserved}' is set by the hot log and cannot be given.", index);
        }

        if (name.Length is 0 or > MaxExtensionNameLength || name.ContainsAnyExcept(NameBytes))
        {
            return EventFault.Invalid(
                Shorten(name),
                $"'{Shorten(name)}' is no attribute, and extension names have 1 to {MaxExtensionNameLength} characters from a-z 0-9.",
                index);
        }

        return count < Options.MaxExtensions
            ? null
            : new EventFault(
                ProblemKind.InvalidEvent,
                $"An event has at most {Options.MaxExtensions} extension attributes.",
                Encoding.ASCII.GetString(name),
                index,
                Options.MaxExtensions);
    }

    public EventFault? CheckExtensionValue(string name, int bytes, int? index) => bytes <= Options.MaxExtensionValueBytes
        ? null
        : new EventFault(
            ProblemKind.InvalidEvent,
            $"The value of '{name}' is longer than {Options.MaxExtensionValueBytes} bytes.",
            name,
            index,
            Options.MaxExtensionValueBytes);

    /// <summary>Checks an extension that comes as text and writes it; <paramref name="count"/> extensions came before it.</summary>
    public EventFault? WriteExtension(
        string name, string value, int count, ArrayBufferWriter<byte> extensions, ref EventDraft draft, int? index)
    {
        if (IsAttribute(name))
        {
            return EventFault.Invalid(name, $"'{name}' is no extension attribute.", index);
        }

        var nameBytes = Encoding.UTF8.GetBytes(name);
        if (CheckExtensionName(nameBytes, count, index) is { } refused)
        {
            return refused;
        }

        if (CheckExtensionValue(name, Encoding.UTF8.GetByteCount(value), index) is { } tooLong)
        {
            return tooLong;
        }

        draft.Critical |= name is "critical" && value is "true";
        extensions.Write(",\""u8);
        extensions.Write(nameBytes);
        extensions.Write("\":"u8);
        JsonText.WriteString(value, extensions);
        return null;
    }

    public EventFault? CheckType(string type, int? index)
    {
        if (CheckText("type", type, Options.MaxTypeLength, index) is { } fault)
        {
            return fault;
        }

        return type.StartsWith(StreamStates.ControlPrefix, StringComparison.Ordinal)
            ? EventFault.Invalid("type", $"Types that begin with '{StreamStates.ControlPrefix}' are reserved for control events.", index)
            : null;
    }

    /// <summary>Checks <c>id</c>, <c>source</c>, <c>subject</c> or <c>datacontenttype</c>.</summary>
    public EventFault? CheckText(string field, ReadOnlySpan<char> text, int? index) =>
        CheckText(field, text, Options.MaxAttributeLength, index);

    public static EventFault? CheckTime(ReadOnlySpan<char> time, int? index) => Rfc3339.TryParse(time, out _)
        ? null
        : EventFault.Invalid(
            "time", "'time' must be an RFC 3339 time with date, time and offset, such as 2026-01-31T23:59:59.999Z.", index);

    public static EventFault? CheckSpecVersion(ReadOnlySpan<char> version, int? index) => version is "1.0"
        ? null
        : EventFault.Invalid("specversion", "'specversion' must be \"1.0\".", index);

    public static string Shorten(ReadOnlySpan<byte> name)
    {
        var text = Encoding.UTF8.GetString(name[..Math.Min(name.Length, 64)]);
        return name.Length <= 64 ? text : text + "…";
    }

    private static bool IsAttribute(string name) =>
        name is "id" or "source" or "type" or "subject" or "time" or "specversion" or "datacontenttype" or "data" or "data_base64";

    private static EventFault? CheckText(string field, ReadOnlySpan<char> text, int maxLength, int? index)
    {
        if (text.IsEmpty)
        {
            return EventFault.Invalid(field, $"'{field}' must not be empty.", index);
        }

        if (text.Length > maxLength)
        {
            return new EventFault(ProblemKind.InvalidEvent, $"'{field}' is longer than {maxLength} characters.", field, index, maxLength);
        }

        foreach (var character in text)
        {
            if (char.IsControl(character))
            {
                return EventFault.Invalid(field, $"'{field}' must not contain control characters.", index);
            }
        }

        return null;
    }
}
