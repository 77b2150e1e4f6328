using System.Net.Http.Headers;
using System.Text;
using Microsoft.Extensions.Primitives;

namespace AspireStreaming.PublisherApi.Http;

/// <summary>The forms in which events are published over HTTP.</summary>
internal enum ContentForm
{
    Unsupported,

    /// <summary><c>application/json</c>: one event or an array.</summary>
    Json,

    /// <summary><c>application/cloudevents+json</c>.</summary>
    Structured,

    /// <summary><c>application/cloudevents-batch+json</c>.</summary>
    Batch,

    /// <summary>CloudEvents binary mode: attributes in <c>ce-*</c> headers, data in the body.</summary>
    Binary,

    /// <summary><c>application/x-ndjson</c>.</summary>
    Ndjson,
}

/// <summary>Tells the form of a request.</summary>
internal static class PublishContent
{
    public const string HeaderPrefix = "ce-";

    public static ContentForm FormOf(HttpRequest request)
    {
        // A compressed body would only look like broken JSON.
        if (!StringValues.IsNullOrEmpty(request.Headers.ContentEncoding)
            && !string.Equals(request.Headers.ContentEncoding, "identity", StringComparison.OrdinalIgnoreCase))
        {
            return ContentForm.Unsupported;
        }

        var contentType = request.ContentType;
        if (string.IsNullOrEmpty(contentType))
        {
            return IsBinary(request) ? ContentForm.Binary : ContentForm.Unsupported;
        }

        if (contentType == "application/json")
        {
            return IsBinary(request) ? ContentForm.Binary : ContentForm.Json;
        }

        if (!MediaTypeHeaderValue.TryParse(contentType, out var mediaType))
        {
            return ContentForm.Unsupported;
        }

        var form = mediaType.MediaType switch
        {
            { } name when Is(name, "application/json") => IsBinary(request) ? ContentForm.Binary : ContentForm.Json,
            { } name when Is(name, "application/cloudevents+json") => ContentForm.Structured,
            { } name when Is(name, "application/cloudevents-batch+json") => ContentForm.Batch,
            { } name when Is(name, "application/x-ndjson") => ContentForm.Ndjson,
            _ => IsBinary(request) ? ContentForm.Binary : ContentForm.Unsupported,
        };

        // In binary mode another charset only means that the body is not text to us.
        return form == ContentForm.Binary || IsUtf8(mediaType.CharSet) ? form : ContentForm.Unsupported;

        static bool Is(string name, string expected) => name.Equals(expected, StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>Whether text in this charset is UTF-8; no charset counts as such.</summary>
    public static bool IsUtf8(string? charset)
    {
        var name = charset.AsSpan().Trim('"');
        return name.IsEmpty
            || name.Equals(Encoding.UTF8.WebName, StringComparison.OrdinalIgnoreCase)
            || name.Equals("utf8", StringComparison.OrdinalIgnoreCase)
            || name.Equals("us-ascii", StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>
    /// Whether any attribute comes as a header. <c>application/json</c> with such headers is binary mode, its commonest case.
    /// </summary>
    private static bool IsBinary(HttpRequest request)
    {
        foreach (var header in request.Headers)
        {
            if (header.Key.StartsWith(HeaderPrefix, StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }

        return false;
    }
}
