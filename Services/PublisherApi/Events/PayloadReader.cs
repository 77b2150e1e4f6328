using System.Buffers.Text;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Unicode;
using AspireStreaming.PublisherApi.Http;

namespace AspireStreaming.PublisherApi.Events;

/// <summary>
/// Turns a payload that comes as bytes into JSON: of JSON media types as it is, of <c>text/*</c> in UTF-8 as a string, of everything
/// else in base64. Thread-safe.
/// </summary>
internal sealed class PayloadReader(AttributeRules rules, EventReader json)
{
    /// <summary>Sets the data of a draft.</summary>
    /// <param name="contentType">Not empty.</param>
    /// <param name="payload">Stays in use as long as the draft.</param>
    /// <param name="draft">The draft.</param>
    /// <param name="index">The event's index for messages.</param>
    public EventFault? Read(string contentType, ReadOnlySpan<byte> payload, ref EventDraft draft, int? index)
    {
        if (rules.CheckText("datacontenttype", contentType, index) is { } refused)
        {
            return refused;
        }

        draft.DataContentType = JsonText.Quote(contentType);
        if (payload.IsEmpty)
        {
            return null;
        }

        // What is no media type at all says nothing about its bytes.
        var isMediaType = MediaTypeHeaderValue.TryParse(contentType, out var mediaType);
        var name = mediaType?.MediaType ?? "";
        var isUtf8 = isMediaType && PublishContent.IsUtf8(mediaType!.CharSet);
        if (isUtf8 && IsJson(name))
        {
            draft.DataForm = DataForm.Json;
            draft.Data = payload;
            return json.CheckData(payload, index);
        }

        if (isUtf8 && name.StartsWith("text/", StringComparison.OrdinalIgnoreCase))
        {
            if (!Utf8.IsValid(payload))
            {
                return EventFault.Invalid("data", "'data' is not valid UTF-8.", index);
            }

            draft.DataForm = DataForm.Json;
            draft.Data = JsonText.Quote(Encoding.UTF8.GetString(payload));
            return null;
        }

        draft.DataForm = DataForm.Base64;
        draft.Data = ToBase64(payload);
        return null;
    }

    private static bool IsJson(string mediaType) =>
        mediaType.Equals("application/json", StringComparison.OrdinalIgnoreCase)
        || mediaType.Equals("text/json", StringComparison.OrdinalIgnoreCase)
        || mediaType.EndsWith("+json", StringComparison.OrdinalIgnoreCase);

    private static byte[] ToBase64(ReadOnlySpan<byte> bytes)
    {
        var token = new byte[Base64.GetMaxEncodedToUtf8Length(bytes.Length) + 2];
        Base64.EncodeToUtf8(bytes, token.AsSpan(1), out _, out var written);
        token[0] = (byte)'"';
        token[written + 1] = (byte)'"';
        return token;
    }
}
