using System.Text;
using System.Text.Json;
using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.V1;
using Google.Protobuf;

namespace AspireStreaming.StreamApi.Rpc;

/// <summary>Delivered events as gRPC messages; the form that is sent is made once and shared by all subscribers.</summary>
internal static class GrpcEvents
{
    /// <summary>What says in a <see cref="V1.Delivery"/> that an event follows.</summary>
    private const int TagBytes = 1;

    /// <summary>The event as a message.</summary>
    public static Event ToEvent(EncodedEvent item) => Parse(item.Json.Span);

    /// <summary>The event as a message of a plain subscription, framed as gRPC sends it.</summary>
    public static byte[] Framed(EncodedEvent item) => (byte[])item.GetOrAddForm(static self =>
    {
        var message = new V1.Delivery { Event = Parse(self.Json.Span) };
        var length = message.CalculateSize();
        var bytes = new byte[MessageFrame.PrefixBytes + length];
        MessageFrame.WritePrefix(bytes, length);
        message.WriteTo(bytes.AsSpan(MessageFrame.PrefixBytes));
        return bytes;
    });

    /// <summary>The encoded event with its length in front, as it stands in messages of any kind.</summary>
    public static ReadOnlyMemory<byte> Encode(EncodedEvent item) => Framed(item).AsMemory(MessageFrame.PrefixBytes + TagBytes);

    /// <inheritdoc cref="Encode"/>
    public static ReadOnlySpan<byte> EncodedSpan(EncodedEvent item) => Framed(item).AsSpan(MessageFrame.PrefixBytes + TagBytes);

    private static Event Parse(ReadOnlySpan<byte> json)
    {
        var result = new Event();
        var data = default(ReadOnlySpan<byte>);
        var isText = false;
        var reader = new Utf8JsonReader(json);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString()!;
            reader.Read();
            switch (name)
            {
                case "specversion":
                    break;
                case "id":
                    result.Id = reader.GetString();
                    break;
                case "source":
                    result.Source = reader.GetString();
                    break;
                case "type":
                    result.Type = reader.GetString();
                    break;
                case "subject":
                    result.Subject = reader.GetString();
                    break;
                case "time":
                    result.Time = reader.GetString();
                    break;
                case "datacontenttype":
                    result.Datacontenttype = reader.GetString();
                    break;
                case "stream":
                    result.Stream = reader.GetString();
                    break;
                case "position":
                    result.Position = reader.GetString();
                    break;
                case "sequence":
                    result.Sequence = reader.GetInt64();
                    break;
                case "recordedtime":
                    result.Recordedtime = reader.GetString();
                    break;
                case "data_base64":
                    result.Data = UnsafeByteOperations.UnsafeWrap(reader.GetBytesFromBase64());
                    break;
                case "data":
                    isText = reader.TokenType == JsonTokenType.String;
                    data = Token(ref reader, json);
                    break;
                default:
                    result.Attributes.Add(
                        name,
                        reader.TokenType == JsonTokenType.String ? reader.GetString() : Encoding.UTF8.GetString(Token(ref reader, json)));
                    break;
            }
        }

        if (!data.IsEmpty)
        {
            result.Data = isText && !IsJson(result.Datacontenttype) ? ByteString.CopyFromUtf8(Text(data)) : ByteString.CopyFrom(data);
        }

        return result;
    }

    private static ReadOnlySpan<byte> Token(scoped ref Utf8JsonReader reader, ReadOnlySpan<byte> json)
    {
        var start = (int)reader.TokenStartIndex;
        reader.Skip();
        return json[start..(int)reader.BytesConsumed];
    }

    private static string Text(ReadOnlySpan<byte> token)
    {
        var reader = new Utf8JsonReader(token);
        reader.Read();
        return reader.GetString()!;
    }

    private static bool IsJson(string? mediaType)
    {
        var type = mediaType.AsSpan();
        type = (type.IndexOf(';') is >= 0 and var parameters ? type[..parameters] : type).Trim();
        return type.EndsWith("/json", StringComparison.OrdinalIgnoreCase) || type.EndsWith("+json", StringComparison.OrdinalIgnoreCase);
    }
}
