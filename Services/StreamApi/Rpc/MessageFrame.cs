using System.Buffers;
using AspireStreaming.V1;
using Google.Protobuf;
using Grpc.Core;

namespace AspireStreaming.StreamApi.Rpc;

/// <summary>
/// A message of a stream on its way into the response: a message, or an encoded event behind what stands before it in its message.
/// One is enough for a call, because each write is over before the next begins.
/// </summary>
internal sealed class MessageFrame
{
    /// <summary>The wire type of fields with a length.</summary>
    private const byte LengthDelimited = 2;

    private IMessage? _message;
    private byte[] _head = [];
    private byte[] _event = [];

    /// <summary>What stands before the event in a message of a plain subscription.</summary>
    public static byte[] DeliveryHead { get; } = [(V1.Delivery.EventFieldNumber << 3) | LengthDelimited];

    /// <summary>The message's size, bytes.</summary>
    public int Length => _message?.CalculateSize() ?? (_head.Length + _event.Length);

    /// <summary>What stands before the event in a message of a session's subscription.</summary>
    public static byte[] SessionHead(string sub) =>
        [.. new ServerMessage { Sub = sub }.ToByteArray(), (ServerMessage.EventFieldNumber << 3) | LengthDelimited];

    /// <summary>Makes it a message.</summary>
    public void Set(IMessage message) => _message = message;

    /// <summary>Makes it an event.</summary>
    /// <param name="head">What stands before it.</param>
    /// <param name="item">The event with its length in front.</param>
    public void Set(byte[] head, byte[] item)
    {
        _message = null;
        _head = head;
        _event = item;
    }

    /// <summary>Writes it.</summary>
    public void WriteTo(SerializationContext context)
    {
        context.SetPayloadLength(Length);
        var writer = context.GetBufferWriter();
        if (_message is not null)
        {
            _message.WriteTo(writer);
        }
        else
        {
            writer.Write(_head);
            writer.Write(_event);
        }

        context.Complete();
    }
}
