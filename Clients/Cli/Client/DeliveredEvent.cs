using System.Text.Json;

namespace AspireStreaming.Cli.Client;

/// <summary>The parts of a delivered event that clients look at.</summary>
/// <param name="Raw">The whole event as received.</param>
/// <param name="Position">Its position.</param>
/// <param name="Source">With <paramref name="Id"/> its identity.</param>
/// <param name="Id">With <paramref name="Source"/> its identity.</param>
/// <param name="Type">Its type.</param>
/// <param name="RecordedTime">When the hot log stamped it, as received.</param>
/// <param name="Data">The <c>data</c> token exactly as received; null when there is none.</param>
/// <param name="IsBinary">Whether <paramref name="Data"/> is the string of <c>data_base64</c>.</param>
/// <param name="FirstPosition">The extension that marks an event appended again after a fault.</param>
internal readonly record struct DeliveredEvent(
    ReadOnlyMemory<byte> Raw,
    StreamPosition Position,
    string Source,
    string Id,
    string Type,
    string RecordedTime,
    ReadOnlyMemory<byte>? Data,
    bool IsBinary,
    string? FirstPosition)
{
    /// <summary>Reads an event without decoding its data.</summary>
    /// <exception cref="InvalidDataException">It is not a delivered event.</exception>
    public static DeliveredEvent Read(ReadOnlyMemory<byte> json)
    {
        try
        {
            var result = new DeliveredEvent(json, StreamPosition.Zero, "", "", "", "", null, false, null);
            var hasPosition = false;
            var reader = new Utf8JsonReader(json.Span, new JsonReaderOptions { MaxDepth = 1000 });
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                throw Unusable(null);
            }

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var name = Name(ref reader);
                reader.Read();
                if (name is Member.Data or Member.Base64)
                {
                    var start = (int)reader.TokenStartIndex;
                    reader.Skip();
                    result = result with { Data = json[start..(int)reader.BytesConsumed], IsBinary = name == Member.Base64 };
                }
                else if (name == Member.Other || reader.TokenType != JsonTokenType.String)
                {
                    reader.Skip();
                }
                else
                {
                    var value = reader.GetString()!;
                    hasPosition |= name == Member.Position;
                    result = name switch
                    {
                        Member.Position => result with
                        {
                            Position = StreamPosition.TryParse(value, out var position) ? position : throw Unusable(null),
                        },
                        Member.Source => result with { Source = value },
                        Member.Id => result with { Id = value },
                        Member.Type => result with { Type = value },
                        Member.RecordedTime => result with { RecordedTime = value },
                        _ => result with { FirstPosition = value },
                    };
                }
            }

            return hasPosition ? result : throw Unusable(null);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            throw Unusable(exception);
        }
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
