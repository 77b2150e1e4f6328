using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;
using AspireStreaming.Client.Http;
using AspireStreaming.V1;

namespace AspireStreaming.Client.Following;

/// <summary>Events of gRPC as the JSON that the other transports deliver; only the kinds of extensions' values are not kept, which travel as text.</summary>
internal static class GrpcEvents
{
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static ReadOnlyMemory<byte> ToJson(Event item)
    {
        var buffer = new ArrayBufferWriter<byte>(256 + item.Data.Length);
        using (var json = new Utf8JsonWriter(buffer, Options))
        {
            json.WriteStartObject();
            json.WriteString("specversion", "1.0");
            json.WriteString("id", item.Id);
            json.WriteString("source", item.Source);
            json.WriteString("type", item.Type);
            WriteOptional(json, "subject", item.Subject);
            json.WriteString("time", item.Time);
            WriteOptional(json, "datacontenttype", item.Datacontenttype);
            json.WriteString("stream", item.Stream);
            json.WriteString("position", item.Position);
            json.WriteNumber("sequence", item.Sequence);
            json.WriteString("recordedtime", item.Recordedtime);
            foreach (var (name, value) in item.Attributes)
            {
                json.WriteString(name, value);
            }

            WriteData(json, item);
            json.WriteEndObject();
        }

        return buffer.WrittenMemory;
    }

    private static void WriteData(Utf8JsonWriter json, Event item)
    {
        var data = item.Data.Span;
        if (data.IsEmpty)
        {
            return;
        }

        if (item.Datacontenttype.Length == 0 || MediaTypes.IsJson(item.Datacontenttype))
        {
            json.WritePropertyName("data");
            json.WriteRawValue(data, skipInputValidation: true);
        }
        else if (item.Datacontenttype.StartsWith("text/", StringComparison.OrdinalIgnoreCase) && Utf8.IsValid(data))
        {
            json.WriteString("data", data);
        }
        else
        {
            json.WriteBase64String("data_base64", data);
        }
    }

    private static void WriteOptional(Utf8JsonWriter json, string name, string value)
    {
        if (value.Length > 0)
        {
            json.WriteString(name, value);
        }
    }
}
