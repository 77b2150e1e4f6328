using System.Text.Json;

namespace AspireStreaming.Cli.Client;

/// <summary>A page of events.</summary>
/// <param name="Events">The delivered events, each exactly as received.</param>
/// <param name="Next">Where the next page starts.</param>
/// <param name="CaughtUp">Whether the end of the stream was reached.</param>
/// <param name="Gap">A hole that the API announces.</param>
internal sealed record EventPage(IReadOnlyList<ReadOnlyMemory<byte>> Events, StreamPosition Next, bool CaughtUp, StreamGap? Gap)
{
    /// <summary>Reads a page without copying or decoding its events.</summary>
    /// <exception cref="InvalidDataException">It is not a page.</exception>
    public static EventPage Read(ReadOnlyMemory<byte> body)
    {
        try
        {
            var reader = new Utf8JsonReader(body.Span);
            List<ReadOnlyMemory<byte>>? events = null;
            StreamPosition? next = null;
            StreamGap? gap = null;
            var caughtUp = false;
            if (reader.Read() && reader.TokenType == JsonTokenType.StartObject)
            {
                while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
                {
                    if (reader.ValueTextEquals("events"u8))
                    {
                        reader.Read();
                        events = ReadEvents(ref reader, body);
                    }
                    else if (reader.ValueTextEquals("next"u8))
                    {
                        reader.Read();
                        next = reader.TokenType == JsonTokenType.String && StreamPosition.TryParse(reader.GetString(), out var position)
                            ? position
                            : null;
                    }
                    else if (reader.ValueTextEquals("caughtUp"u8))
                    {
                        reader.Read();
                        caughtUp = reader.TokenType == JsonTokenType.True;
                    }
                    else if (reader.ValueTextEquals("gap"u8))
                    {
                        reader.Read();
                        using var document = JsonDocument.ParseValue(ref reader);
                        gap = StreamGap.Read(document.RootElement);
                    }
                    else
                    {
                        reader.Skip();
                    }
                }
            }

            return events is not null && next is not null
                ? new EventPage(events, next.Value, caughtUp, gap)
                : throw new InvalidDataException("The Stream API's page lacks 'events' or 'next'.");
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            throw new InvalidDataException("The Stream API's page is not JSON as it should be.", exception);
        }
    }

    private static List<ReadOnlyMemory<byte>> ReadEvents(ref Utf8JsonReader reader, ReadOnlyMemory<byte> body)
    {
        var events = new List<ReadOnlyMemory<byte>>();
        while (reader.Read() && reader.TokenType == JsonTokenType.StartObject)
        {
            var start = (int)reader.TokenStartIndex;
            reader.Skip();
            events.Add(body[start..(int)reader.BytesConsumed]);
        }

        return events;
    }
}
