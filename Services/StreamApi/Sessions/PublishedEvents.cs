using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using AspireStreaming.Streaming.Redis;
using AspireStreaming.V1;

namespace AspireStreaming.StreamApi.Sessions;

/// <summary>
/// The events of a publish as the Publisher API takes them: a JSON array. Each gets an id if it has none, so that a try can be
/// repeated, and so that a broadcast is the same event in each of its streams. Everything else is left for the Publisher API to
/// judge.
/// </summary>
internal static class PublishedEvents
{
    /// <summary>Deeper than what the Publisher API takes.</summary>
    private const int MaxDepth = 256;

    private static readonly JsonReaderOptions ReaderOptions = new() { MaxDepth = MaxDepth };

    /// <summary>Completes a JSON array of events.</summary>
    /// <returns>Empty for an empty array.</returns>
    /// <exception cref="JsonException">It is no array of objects.</exception>
    public static ReadOnlyMemory<byte> Complete(ReadOnlySpan<byte> array)
    {
        var stem = GeneratedId.NewAttempt();
        var output = new ArrayBufferWriter<byte>(array.Length + 256);
        var reader = new Utf8JsonReader(array, ReaderOptions);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartArray)
        {
            throw new JsonException("It is no array.");
        }

        var count = 0;
        while (reader.Read() && reader.TokenType == JsonTokenType.StartObject)
        {
            var start = (int)reader.TokenStartIndex;
            var hasId = false;
            var isEmpty = true;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                isEmpty = false;
                hasId |= reader.ValueTextEquals("id"u8);
                reader.Skip();
            }

            output.Write(count == 0 ? "["u8 : ","u8);
            var item = array[start..(int)reader.BytesConsumed];
            if (!hasId)
            {
                output.Write(Encoding.UTF8.GetBytes(
                    string.Create(CultureInfo.InvariantCulture, $"{{\"id\":\"{GeneratedId.For(stem, count)}\"{(isEmpty ? "" : ",")}")));
                item = item[1..];
            }

            output.Write(item);
            count++;
        }

        if (reader.TokenType != JsonTokenType.EndArray)
        {
            throw new JsonException("An event is no object.");
        }

        if (count > 0)
        {
            output.Write("]"u8);
        }

        return output.WrittenMemory;
    }

    /// <summary>Writes the events of a gRPC message.</summary>
    /// <returns>Empty for no events.</returns>
    /// <exception cref="JsonException">The data of an event with a JSON media type is no JSON.</exception>
    public static ReadOnlyMemory<byte> Write(IReadOnlyList<Event> events)
    {
        if (events.Count == 0)
        {
            return default;
        }

        var stem = GeneratedId.NewAttempt();
        var output = new ArrayBufferWriter<byte>(1024);
        using var writer = new Utf8JsonWriter(output, new JsonWriterOptions { MaxDepth = MaxDepth });
        writer.WriteStartArray();
        for (var index = 0; index < events.Count; index++)
        {
            Write(writer, events[index], stem, index);
        }

        writer.WriteEndArray();
        writer.Flush();
        return output.WrittenMemory;
    }

    private static void Write(Utf8JsonWriter writer, Event item, string stem, int index)
    {
        writer.WriteStartObject();
        writer.WriteString("id", item.Id.Length > 0 ? item.Id : GeneratedId.For(stem, index));
        WriteText(writer, "source", item.Source);
        WriteText(writer, "type", item.Type);
        WriteText(writer, "subject", item.Subject);
        WriteText(writer, "time", item.Time);
        WriteText(writer, "datacontenttype", item.Datacontenttype);

        // These are the log's; the Publisher API refuses them by name.
        WriteText(writer, "stream", item.Stream);
        WriteText(writer, "position", item.Position);
        WriteText(writer, "recordedtime", item.Recordedtime);
        if (item.Sequence != 0)
        {
            writer.WriteNumber("sequence", item.Sequence);
        }

        foreach (var (name, value) in item.Attributes)
        {
            writer.WriteString(name, value);
        }

        WriteData(writer, item);
        writer.WriteEndObject();
    }

    private static void WriteData(Utf8JsonWriter writer, Event item)
    {
        var data = item.Data.Span;
        if (data.IsEmpty)
        {
            return;
        }

        if (item.Datacontenttype.Length == 0 || MediaTypes.IsJson(item.Datacontenttype))
        {
            writer.WritePropertyName("data");
            writer.WriteRawValue(data);
        }
        else if (MediaTypes.IsText(item.Datacontenttype) && System.Text.Unicode.Utf8.IsValid(data))
        {
            writer.WriteString("data", data);
        }
        else
        {
            writer.WriteBase64String("data_base64", data);
        }
    }

    private static void WriteText(Utf8JsonWriter writer, string name, string value)
    {
        if (value.Length > 0)
        {
            writer.WriteString(name, value);
        }
    }
}
