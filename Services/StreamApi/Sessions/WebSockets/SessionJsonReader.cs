using System.Text.Json;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Sessions.WebSockets;

/// <summary>Reads the client's messages, one JSON object each. Thread-safe.</summary>
internal static class SessionJsonReader
{
    private const int MaxDepth = 256;
    private const int MaxListed = 10_000;

    private static readonly JsonReaderOptions Options = new() { MaxDepth = MaxDepth };

    /// <summary>Reads a message; what is not understood becomes a <see cref="RefusedCommand"/>.</summary>
    public static SessionCommand Read(ReadOnlySpan<byte> message, SessionCommands commands)
    {
        var members = default(Members);
        try
        {
            return ReadMembers(message, ref members) is { } fault
                ? SessionCommands.Refuse(members.Sub, fault)
                : members.ToCommand(commands);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or FormatException)
        {
            return SessionCommands.Refuse(members.Sub, SessionFault.NotUnderstood(Describe(exception)));
        }
    }

    /// <summary>
    /// Reads an acknowledgement that is written without spaces or escapes and with its members in the order in which the documentation
    /// has them.
    /// </summary>
    /// <returns>False for any other message, and for what is at fault.</returns>
    public static bool TryReadAck(ReadOnlySpan<byte> message, out ReadOnlySpan<byte> sub, out StreamPosition position)
    {
        var head = "{\"type\":\"ack\",\"sub\":\""u8;
        sub = default;
        position = default;
        if (!message.StartsWith(head))
        {
            return false;
        }

        message = message[head.Length..];
        sub = message[..Math.Max(0, message.IndexOfAny((byte)'"', (byte)'\\'))];
        var middle = "\",\"position\":\""u8;
        message = message[sub.Length..];
        return message.StartsWith(middle)
            && message.EndsWith("\"}"u8)
            && message.Length >= middle.Length + 2
            && StreamPosition.TryParse(message[middle.Length..^2], out position);
    }

    private static string Describe(Exception exception) => exception is JsonException
        ? $"It is no valid JSON: {exception.Message}"
        : "A member has another type than it should.";

    private static SessionFault? ReadMembers(ReadOnlySpan<byte> message, ref Members members)
    {
        var reader = new Utf8JsonReader(message, Options);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            return SessionFault.NotUnderstood("A message is one JSON object.");
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString()!;
            reader.Read();
            if (!members.TryTake(name, ref reader, message))
            {
                return SessionFault.InvalidParameter(name, "It has another type than it should.");
            }
        }

        // Nothing may come after the object.
        while (reader.Read())
        {
        }

        return null;
    }

    /// <summary>The members of a message, of whatever type.</summary>
    private ref struct Members
    {
        private string? _type;
        private string? _stream;
        private string? _from;
        private string? _policy;
        private string? _cursor;
        private string? _position;
        private string? _expected;
        private string? _durability;
        private List<string>? _types;
        private List<string>? _streams;
        private long? _lag;
        private long? _window;
        private ReadOnlySpan<byte> _events;

        public string? Sub { get; private set; }

        /// <summary>Takes a member; unknown ones are passed over.</summary>
        public bool TryTake(string name, ref Utf8JsonReader reader, ReadOnlySpan<byte> message)
        {
            if (reader.TokenType == JsonTokenType.Null)
            {
                return true;
            }

            switch (name)
            {
                case "type":
                    return TryTakeText(ref reader, out _type);
                case "sub":
                    var isText = TryTakeText(ref reader, out var sub);
                    Sub = sub;
                    return isText;
                case "stream":
                    return TryTakeText(ref reader, out _stream);
                case "from":
                    return TryTakeText(ref reader, out _from);
                case "policy":
                    return TryTakeText(ref reader, out _policy);
                case "cursor":
                    return TryTakeText(ref reader, out _cursor);
                case "position":
                    return TryTakeText(ref reader, out _position);
                case "expected":
                    return TryTakeText(ref reader, out _expected);
                case "durability":
                    return TryTakeText(ref reader, out _durability);
                case "types":
                    return TryTakeList(ref reader, out _types);
                case "streams":
                    return TryTakeList(ref reader, out _streams);
                case "lag":
                    return TryTakeNumber(ref reader, out _lag);
                case "window":
                    return TryTakeNumber(ref reader, out _window);
                case "events":
                    var start = (int)reader.TokenStartIndex;
                    var isList = reader.TokenType == JsonTokenType.StartArray;
                    reader.Skip();
                    _events = message[start..(int)reader.BytesConsumed];
                    return isList;
                default:
                    reader.Skip();
                    return true;
            }
        }

        public readonly SessionCommand ToCommand(SessionCommands commands) => _type switch
        {
            "subscribe" => commands.Subscribe(Sub, _stream, _from, _types, _policy, _lag, _window, _cursor),
            "ack" => SessionCommands.Acknowledge(Sub, _position),
            "unsubscribe" => SessionCommands.Unsubscribe(Sub),
            "publish" => commands.Publish(Sub, _stream, _streams, CompleteEvents(), _expected, _durability),
            "ping" => new PingCommand(),
            null => SessionCommands.Refuse(Sub, SessionFault.NotUnderstood("The member 'type' says what a message is.")),
            _ => SessionCommands.Refuse(
                Sub, SessionFault.NotUnderstood("'type' is 'subscribe', 'ack', 'unsubscribe', 'publish' or 'ping'.")),
        };

        private readonly ReadOnlyMemory<byte> CompleteEvents() => _events.IsEmpty ? default : PublishedEvents.Complete(_events);

        private static bool TryTakeText(ref Utf8JsonReader reader, out string? text)
        {
            var isText = reader.TokenType == JsonTokenType.String;
            text = isText ? reader.GetString() : null;
            reader.Skip();
            return isText;
        }

        private static bool TryTakeNumber(ref Utf8JsonReader reader, out long? number)
        {
            var isNumber = reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out _);
            number = isNumber ? reader.GetInt64() : null;
            reader.Skip();
            return isNumber;
        }

        private static bool TryTakeList(ref Utf8JsonReader reader, out List<string>? list)
        {
            list = null;
            if (reader.TokenType != JsonTokenType.StartArray)
            {
                return false;
            }

            list = [];
            while (reader.Read() && reader.TokenType == JsonTokenType.String && list.Count < MaxListed)
            {
                list.Add(reader.GetString()!);
            }

            return reader.TokenType == JsonTokenType.EndArray;
        }
    }
}
