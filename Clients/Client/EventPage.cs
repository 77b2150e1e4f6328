using System.Text.Json;

namespace AspireStreaming.Client;

/// <summary>A page of events.</summary>
/// <param name="Events">The delivered events.</param>
/// <param name="Next">Where the next page starts.</param>
/// <param name="CaughtUp">Whether the end of what there is was reached.</param>
/// <param name="Gap">A hole that the service announces.</param>
/// <param name="End">Set when the stream has ended.</param>
public sealed record EventPage(IReadOnlyList<StreamEvent> Events, StreamPosition Next, bool CaughtUp, StreamGap? Gap, StreamEnd? End)
{
    /// <summary>Reads a page without copying its events.</summary>
    /// <exception cref="InvalidDataException">It is not a page.</exception>
    internal static EventPage Read(string stream, ReadOnlyMemory<byte> body)
    {
        try
        {
            var reader = new Utf8JsonReader(body.Span);
            List<StreamEvent>? events = null;
            StreamPosition? next = null;
            StreamGap? gap = null;
            StreamEnd? end = null;
            var caughtUp = false;
            if (reader.Read() && reader.TokenType == JsonTokenType.StartObject)
            {
                while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
                {
                    if (reader.ValueTextEquals("events"u8))
                    {
                        reader.Read();
                        events = ReadEvents(ref reader, stream, body);
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
                    else if (reader.ValueTextEquals("end"u8))
                    {
                        reader.Read();
                        using var document = JsonDocument.ParseValue(ref reader);
                        end = StreamEnd.Read(document.RootElement);
                    }
                    else
                    {
                        reader.Skip();
                    }
                }
            }

            return events is not null && next is not null
                ? new EventPage(events, next.Value, caughtUp, gap, end)
                : throw new InvalidDataException("The Stream API's page lacks 'events' or 'next'.");
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            throw new InvalidDataException("The Stream API's page is not JSON as it should be.", exception);
        }
    }

    private static List<StreamEvent> ReadEvents(ref Utf8JsonReader reader, string stream, ReadOnlyMemory<byte> body)
    {
        var events = new List<StreamEvent>();
        while (reader.Read() && reader.TokenType == JsonTokenType.StartObject)
        {
            var start = (int)reader.TokenStartIndex;
            reader.Skip();
            events.Add(StreamEvent.Read(body[start..(int)reader.BytesConsumed], stream));
        }

        return events;
    }
}
