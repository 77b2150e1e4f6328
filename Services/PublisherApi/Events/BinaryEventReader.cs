using System.Buffers;
using AspireStreaming.PublisherApi.Http;

namespace AspireStreaming.PublisherApi.Events;

/// <summary>Reads CloudEvents binary mode: attributes from <c>ce-*</c> headers, data from the body. Thread-safe.</summary>
internal sealed class BinaryEventReader(AttributeRules rules, EventComposer composer, PayloadReader payload)
{
    /// <summary>Adds the event to the batch.</summary>
    public EventFault? Read(IHeaderDictionary headers, string? contentType, ReadOnlySpan<byte> body, EventBatch batch)
    {
        var draft = default(EventDraft);
        var extensions = EventComposer.Begin();
        var extensionCount = 0;
        foreach (var header in headers)
        {
            if (!header.Key.StartsWith(PublishContent.HeaderPrefix, StringComparison.OrdinalIgnoreCase))
            {
                continue;
            }

            var name = header.Key[PublishContent.HeaderPrefix.Length..].ToLowerInvariant();
            if (header.Value.Count != 1 || header.Value[0] is not { } encoded)
            {
                return EventFault.Invalid(name, $"'{header.Key}' is given more than once.", null);
            }

            // The HTTP binding of CloudEvents percent-encodes what a header cannot carry.
            var value = encoded.Contains('%', StringComparison.Ordinal) ? Uri.UnescapeDataString(encoded) : encoded;
            if (ReadAttribute(name, value, ref draft, extensions, ref extensionCount) is { } fault)
            {
                return fault;
            }
        }

        // Without a content type there may be no data at all; bytes without one are just bytes.
        if (string.IsNullOrEmpty(contentType))
        {
            contentType = body.IsEmpty ? null : "application/octet-stream";
        }

        return (contentType is null ? null : payload.Read(contentType, body, ref draft, null))
            ?? composer.Compose(ref draft, batch, null, alone: true);
    }

    private EventFault? ReadAttribute(
        string name, string value, ref EventDraft draft, ArrayBufferWriter<byte> extensions, ref int extensionCount)
    {
        switch (name)
        {
            case "id":
                draft.Id = value;
                return rules.CheckText(name, value, null);
            case "source":
                draft.Source = value;
                return rules.CheckText(name, value, null);
            case "type":
                draft.Type = value;
                return rules.CheckType(value, null);
            case "subject":
                draft.Subject = JsonText.Quote(value);
                return rules.CheckText(name, value, null);
            case "time":
                draft.Time = JsonText.Quote(value);
                return AttributeRules.CheckTime(value, null);
            case "specversion":
                return AttributeRules.CheckSpecVersion(value, null);
            case "datacontenttype":
                return EventFault.Invalid(name, "In binary mode the content type of the data is the request's Content-Type.", null);
            default:
                return rules.WriteExtension(name, value, extensionCount++, extensions, ref draft, null);
        }
    }
}
