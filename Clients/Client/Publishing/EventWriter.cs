using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using AspireStreaming.Client.Http;

namespace AspireStreaming.Client.Publishing;

/// <summary>Writes events as the Publisher API takes them.</summary>
/// <param name="source">For events that name none; null = the service's.</param>
/// <param name="propagateTraceContext">Whether events carry the trace that they are published in.</param>
internal sealed class EventWriter(string? source, bool propagateTraceContext)
{
    private const string TraceParent = "traceparent";

    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes one event on one line. An event without id gets one, which is what makes the request repeatable.</summary>
    /// <exception cref="JsonException">Its data claims to be JSON and is not.</exception>
    public void Write(IBufferWriter<byte> target, NewEvent item)
    {
        ArgumentNullException.ThrowIfNull(item);
        using var json = new Utf8JsonWriter(target, Options);
        json.WriteStartObject();
        json.WriteString("id", item.Id ?? Guid.CreateVersion7().ToString("N", CultureInfo.InvariantCulture));
        WriteOptional(json, "source", item.Source ?? source);
        json.WriteString("type", item.Type);
        WriteOptional(json, "subject", item.Subject);
        WriteOptional(json, "time", item.Time is { } time ? EventTimes.Format(time) : null);
        json.WriteString("datacontenttype", item.DataContentType);
        WriteExtensions(json, item);
        if (item.Data is { } data)
        {
            WriteData(json, data.Span, item.DataContentType);
        }

        json.WriteEndObject();
    }

    private void WriteExtensions(Utf8JsonWriter json, NewEvent item)
    {
        foreach (var (name, value) in item.Extensions ?? Empty)
        {
            json.WriteString(name, value);
        }

        if (item.Critical && item.Extensions?.ContainsKey("critical") != true)
        {
            json.WriteBoolean("critical", true);
        }

        if (propagateTraceContext && Activity.Current is { Recorded: true, IdFormat: ActivityIdFormat.W3C, Id: { } id } activity
            && item.Extensions?.ContainsKey(TraceParent) != true)
        {
            json.WriteString(TraceParent, id);
            WriteOptional(json, "tracestate", activity.TraceStateString);
        }
    }

    private static IReadOnlyDictionary<string, string> Empty { get; } = new Dictionary<string, string>();

    private static void WriteData(Utf8JsonWriter json, ReadOnlySpan<byte> data, string mediaType)
    {
        if (MediaTypes.IsJson(mediaType))
        {
            json.WritePropertyName("data");
            WriteToken(json, data);
        }
        else if (mediaType.StartsWith("text/", StringComparison.OrdinalIgnoreCase) && System.Text.Unicode.Utf8.IsValid(data))
        {
            json.WriteString("data", data);
        }
        else
        {
            json.WriteBase64String("data_base64", data);
        }
    }

    private static void WriteToken(Utf8JsonWriter json, ReadOnlySpan<byte> token)
    {
        if (!token.ContainsAny((byte)'\n', (byte)'\r'))
        {
            json.WriteRawValue(token);
            return;
        }

        // Line ends in JSON are insignificant, but they would cut an NDJSON line in two.
        var flat = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(token).ReplaceLineEndings(" "));
        json.WriteRawValue(flat);
    }

    private static void WriteOptional(Utf8JsonWriter json, string name, string? value)
    {
        if (value is not null)
        {
            json.WriteString(name, value);
        }
    }
}
