using System.Buffers;
using System.Buffers.Binary;
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
    /// <summary>What gRPC puts before a message: whether it is compressed, and its length.</summary>
    public const int PrefixBytes = 5;

    /// <summary>The wire type of fields with a length.</summary>
    private const byte LengthDelimited = 2;

    private IMessage? _message;
    private ReadOnlyMemory<byte> _head;
    private ReadOnlyMemory<byte> _rest;

    /// <summary>The message's size, bytes.</summary>
    public int Length => _message?.CalculateSize() ?? (_head.Length + _rest.Length);

    /// <summary>What stands before the event in a message of a session's subscription, behind room for the prefix.</summary>
    public static byte[] SessionHead(string sub) =>
    [
        .. new byte[PrefixBytes],
        .. new ServerMessage { Sub = sub }.ToByteArray(),
        (ServerMessage.EventFieldNumber << 3) | LengthDelimited,
    ];

    /// <summary>Writes what stands before a message that is not compressed.</summary>
    public static void WritePrefix(Span<byte> bytes, int length)
    {
        bytes[0] = 0;
        BinaryPrimitives.WriteInt32BigEndian(bytes[1..], length);
    }

    /// <summary>Makes it a message.</summary>
    public void Set(IMessage message) => _message = message;

    /// <summary>Makes it an encoded message in two parts.</summary>
    public void Set(ReadOnlyMemory<byte> head, ReadOnlyMemory<byte> rest)
    {
        _message = null;
        _head = head;
        _rest = rest;
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
            writer.Write(_head.Span);
            writer.Write(_rest.Span);
        }

        context.Complete();
    }
}
