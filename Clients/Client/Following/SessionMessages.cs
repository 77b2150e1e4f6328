using System.Buffers;
using System.Text.Json;

namespace AspireStreaming.Client.Following;

/// <summary>Messages of the session protocol in JSON.</summary>
internal static class SessionMessages
{
    private const string Subscription = "1";

    /// <summary>Answered, so it shows whether the service still lives.</summary>
    public static ReadOnlyMemory<byte> Ping { get; } = """{"type":"ping"}"""u8.ToArray();

    public static ReadOnlyMemory<byte> Subscribe(FollowRequest request, string? resumeToken) => Write(json =>
    {
        var options = request.Options;
        json.WriteString("type", "subscribe");
        json.WriteString("sub", Subscription);
        json.WriteString("stream", request.Stream);
        if ((resumeToken ?? options.From?.ToString()) is { } from)
        {
            json.WriteString("from", from);
        }

        if (request.IsFiltered)
        {
            json.WriteStartArray("types");
            foreach (var type in options.Types)
            {
                json.WriteStringValue(type);
            }

            json.WriteEndArray();
        }

        if (request.Policy is { } policy)
        {
            json.WriteString("policy", policy);
        }

        if (options.Lag is { } lag)
        {
            json.WriteNumber("lag", lag);
        }

        if (options.Window is { } window)
        {
            json.WriteNumber("window", window);
        }

        if (options.Cursor is { } cursor)
        {
            json.WriteString("cursor", cursor);
        }
    });

    public static ReadOnlyMemory<byte> Acknowledge(string position) => Write(json =>
    {
        json.WriteString("type", "ack");
        json.WriteString("sub", Subscription);
        json.WriteString("position", position);
    });

    /// <summary>Reads a message without copying what it carries.</summary>
    /// <exception cref="InvalidDataException">It is no message.</exception>
    public static SessionMessage Read(ReadOnlyMemory<byte> message)
    {
        try
        {
            return ReadMembers(message);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            throw new InvalidDataException("The service sent something that is not a message of a session.", exception);
        }
    }

    private static SessionMessage ReadMembers(ReadOnlyMemory<byte> message)
    {
        var result = default(SessionMessage);
        var reader = new Utf8JsonReader(message.Span, new JsonReaderOptions { MaxDepth = 1000 });
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            throw new JsonException("Not an object.");
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString();
            reader.Read();
            if (name is "event" or "data" && reader.TokenType == JsonTokenType.StartObject)
            {
                var start = (int)reader.TokenStartIndex;
                reader.Skip();
                result = result with { Body = message[start..(int)reader.BytesConsumed] };
            }
            else if (reader.TokenType == JsonTokenType.String)
            {
                result = With(result, name, reader.GetString()!);
            }
            else if (reader.TokenType == JsonTokenType.Number && reader.TryGetInt32(out var number))
            {
                result = name switch
                {
                    "status" => result with { Status = number },
                    "retryAfter" => result with { RetryAfter = number },
                    _ => result,
                };
            }
            else
            {
                reader.Skip();
            }
        }

        return result;
    }

    private static SessionMessage With(in SessionMessage message, string? name, string value) => name switch
    {
        "type" => message with { Kind = KindOf(value) },
        "name" => message with { Name = value },
        "position" => message with { Position = StreamPosition.TryParse(value, out var position) ? position : null },
        "title" => message with { Title = value },
        "detail" => message with { Detail = value },
        "problem" => message with { Problem = value },
        _ => message,
    };

    private static SessionMessageKind KindOf(string type) => type switch
    {
        "subscribed" => SessionMessageKind.Subscribed,
        "event" => SessionMessageKind.Event,
        "control" => SessionMessageKind.Control,
        "error" => SessionMessageKind.Error,
        _ => SessionMessageKind.Other,
    };

    private static ReadOnlyMemory<byte> Write(Action<Utf8JsonWriter> members)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using var json = new Utf8JsonWriter(buffer);
        json.WriteStartObject();
        members(json);
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenMemory;
    }
}
