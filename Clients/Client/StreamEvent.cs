using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using AspireStreaming.Client.Http;

namespace AspireStreaming.Client;

/// <summary>A delivered event: a CloudEvent at its position in its stream.</summary>
public sealed class StreamEvent : StreamItem
{
    private IReadOnlyDictionary<string, string>? _attributes;
    private ReadOnlyMemory<byte>? _data;

    private StreamEvent(string stream, ReadOnlyMemory<byte> json)
        : base(stream) => Json = json;

    /// <summary>The whole event as it was delivered, one JSON object.</summary>
    public ReadOnlyMemory<byte> Json { get; }

    /// <summary>Where it stands in its stream.</summary>
    public StreamPosition Position { get; private set; }

    /// <summary>With <see cref="Source"/> its identity.</summary>
    public string Id { get; private set; } = "";

    /// <summary>With <see cref="Id"/> its identity.</summary>
    public string Source { get; private set; } = "";

    /// <summary>Its type.</summary>
    public string Type { get; private set; } = "";

    /// <summary>What it is about within its source; null for nothing in particular.</summary>
    public string? Subject => Attributes.GetValueOrDefault("subject");

    /// <summary>When it happened, as its publisher says.</summary>
    public DateTimeOffset Time => EventTimes.Parse(Attributes.GetValueOrDefault("time"));

    /// <summary>When the log took it; never falls within a stream.</summary>
    public DateTimeOffset RecordedTime => EventTimes.Parse(RecordedTimeText);

    /// <summary>Media type of <see cref="Data"/>.</summary>
    public string DataContentType => Attributes.GetValueOrDefault("datacontenttype") ?? MediaTypes.Json;

    /// <summary>
    /// The payload: JSON text in UTF-8 for JSON media types, text in UTF-8 for other texts, bytes as they are for everything else. Empty
    /// when there is none.
    /// </summary>
    public ReadOnlyMemory<byte> Data => _data ??= DecodeData();

    /// <summary>Every other attribute but those of the log: standard ones and extensions; values that are no texts as JSON.</summary>
    public IReadOnlyDictionary<string, string> Attributes => _attributes ??= ReadAttributes();

    /// <summary>The trace that the event was published in, to link to; default for none.</summary>
    public ActivityContext TraceContext =>
        ActivityContext.TryParse(Attributes.GetValueOrDefault("traceparent"), Attributes.GetValueOrDefault("tracestate"), isRemote: true, out var context)
            ? context
            : default;

    /// <inheritdoc/>
    public override string? ResumeToken
    {
        get => base.ResumeToken ?? Position.ToString();
        internal set => base.ResumeToken = value;
    }

    /// <summary>The <c>data</c> token exactly as received; null when there is none.</summary>
    internal ReadOnlyMemory<byte>? DataToken { get; private set; }

    /// <summary>Whether <see cref="DataToken"/> is the string of <c>data_base64</c>.</summary>
    internal bool IsBinary { get; private set; }

    /// <summary>When the hot log stamped it, as received.</summary>
    internal string RecordedTimeText { get; private set; } = "";

    /// <summary>The extension that marks an event appended again after a fault.</summary>
    internal string? FirstPosition { get; private set; }

    /// <summary>The payload as a value, read from its JSON by reflection; default when there is none.</summary>
    /// <exception cref="JsonException">It is not JSON of that kind.</exception>
    public T? ReadData<T>(JsonSerializerOptions? options = null) =>
        Data.IsEmpty ? default : JsonSerializer.Deserialize<T>(Data.Span, options ?? JsonSerializerOptions.Web);

    /// <summary>The payload as a value, read from its JSON by generated code; default when there is none.</summary>
    /// <exception cref="JsonException">It is not JSON of that kind.</exception>
    public T? ReadData<T>(JsonTypeInfo<T> type)
    {
        ArgumentNullException.ThrowIfNull(type);
        return Data.IsEmpty ? default : JsonSerializer.Deserialize(Data.Span, type);
    }

    /// <summary>Position, type and identity.</summary>
    public override string ToString() => $"{Stream} {Position} {Type} {Source}#{Id}";

    /// <summary>Reads an event without decoding its data.</summary>
    /// <param name="json">The event; it is kept.</param>
    /// <param name="stream">Its stream; null = as it says itself.</param>
    /// <exception cref="InvalidDataException">It is not a delivered event.</exception>
    internal static StreamEvent Read(ReadOnlyMemory<byte> json, string? stream = null)
    {
        try
        {
            var result = new StreamEvent(stream ?? NameOfStream(json.Span), json);
            return result.TryRead() ? result : throw Unusable(null);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            throw Unusable(exception);
        }
    }

    private static Utf8JsonReader Open(ReadOnlySpan<byte> json) => new(json, new JsonReaderOptions { MaxDepth = 1000 });

    private static string NameOfStream(ReadOnlySpan<byte> json)
    {
        var reader = Open(json);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var found = reader.ValueTextEquals("stream"u8);
            reader.Read();
            if (found)
            {
                return reader.GetString() ?? "";
            }

            reader.Skip();
        }

        return "";
    }

    private static Member Name(ref Utf8JsonReader reader) =>
        reader.ValueTextEquals("position"u8) ? Member.Position
        : reader.ValueTextEquals("source"u8) ? Member.Source
        : reader.ValueTextEquals("id"u8) ? Member.Id
        : reader.ValueTextEquals("type"u8) ? Member.Type
        : reader.ValueTextEquals("recordedtime"u8) ? Member.RecordedTime
        : reader.ValueTextEquals("data"u8) ? Member.Data
        : reader.ValueTextEquals("data_base64"u8) ? Member.Base64
        : reader.ValueTextEquals("firstposition"u8) ? Member.FirstPosition
        : Member.Other;

    private static InvalidDataException Unusable(Exception? cause) => new("The service delivered something that is not an event.", cause);

    private bool TryRead()
    {
        var hasPosition = false;
        var reader = Open(Json.Span);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            return false;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = Name(ref reader);
            reader.Read();
            if (name is Member.Data or Member.Base64)
            {
                var start = (int)reader.TokenStartIndex;
                reader.Skip();
                DataToken = Json[start..(int)reader.BytesConsumed];
                IsBinary = name == Member.Base64;
            }
            else if (name == Member.Other || reader.TokenType != JsonTokenType.String)
            {
                reader.Skip();
            }
            else if (name == Member.Position)
            {
                hasPosition = StreamPosition.TryParse(reader.GetString(), out var position);
                Position = position;
                if (!hasPosition)
                {
                    return false;
                }
            }
            else
            {
                Take(name, reader.GetString()!);
            }
        }

        return hasPosition;
    }

    private void Take(Member name, string value)
    {
        switch (name)
        {
            case Member.Source:
                Source = value;
                break;
            case Member.Id:
                Id = value;
                break;
            case Member.Type:
                Type = value;
                break;
            case Member.RecordedTime:
                RecordedTimeText = value;
                break;
            default:
                FirstPosition = value;
                break;
        }
    }

    private Dictionary<string, string> ReadAttributes()
    {
        var attributes = new Dictionary<string, string>(StringComparer.Ordinal);
        var reader = Open(Json.Span);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString()!;
            reader.Read();
            if (name is "specversion" or "id" or "source" or "type" or "data" or "data_base64"
                or "stream" or "position" or "sequence" or "recordedtime")
            {
                reader.Skip();
                continue;
            }

            var start = (int)reader.TokenStartIndex;
            var text = reader.TokenType == JsonTokenType.String ? reader.GetString()! : null;
            reader.Skip();
            attributes[name] = text ?? Encoding.UTF8.GetString(Json.Span[start..(int)reader.BytesConsumed]);
        }

        return attributes;
    }

    private ReadOnlyMemory<byte> DecodeData()
    {
        if (DataToken is not { } token)
        {
            return default;
        }

        if (!IsBinary && (token.Span[0] != '"' || MediaTypes.IsJson(DataContentType)))
        {
            return token;
        }

        var reader = new Utf8JsonReader(token.Span);
        reader.Read();
        return IsBinary ? reader.GetBytesFromBase64() : Encoding.UTF8.GetBytes(reader.GetString()!);
    }

    private enum Member
    {
        Other,
        Position,
        Source,
        Id,
        Type,
        RecordedTime,
        Data,
        Base64,
        FirstPosition,
    }
}
