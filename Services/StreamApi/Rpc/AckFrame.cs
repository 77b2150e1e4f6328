using System.Buffers.Binary;
using AspireStreaming.StreamApi.Sessions;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.V1;

namespace AspireStreaming.StreamApi.Rpc;

/// <summary>An acknowledgement as gRPC frames it, read without an object for it.</summary>
internal static class AckFrame
{
    /// <summary>Longest frame, if its fields are written as they usually are.</summary>
    public const int MaxLength = MessageFrame.PrefixBytes + (3 * FieldHead) + SessionCommands.MaxSubLength + StreamPosition.MaxTextLength;

    /// <summary>A field's tag, and its length below 128.</summary>
    private const int FieldHead = 2;
    private const int LengthDelimited = 2;

    /// <summary>Reads what is there.</summary>
    /// <param name="bytes">The beginning of what was received: at least <see cref="MaxLength"/> bytes, or all that is there.</param>
    /// <param name="sub">The name.</param>
    /// <param name="position">The position.</param>
    /// <returns>The frame's length; 0 when it is not there as a whole; -1 when it is another message, or one for the full parser.</returns>
    public static int Read(ReadOnlySpan<byte> bytes, out ReadOnlySpan<byte> sub, out StreamPosition position)
    {
        sub = default;
        position = default;
        if (bytes.Length < MessageFrame.PrefixBytes)
        {
            return 0;
        }

        var length = BinaryPrimitives.ReadUInt32BigEndian(bytes[1..]);
        if (bytes[0] != 0 || length > MaxLength - MessageFrame.PrefixBytes)
        {
            return -1;
        }

        if (bytes.Length < MessageFrame.PrefixBytes + length)
        {
            return 0;
        }

        var message = bytes.Slice(MessageFrame.PrefixBytes, (int)length);
        return TryReadField(ref message, ClientMessage.AckFieldNumber, out var ack)
            && message.IsEmpty
            && TryReadField(ref ack, SessionAck.SubFieldNumber, out sub)
            && TryReadField(ref ack, SessionAck.PositionFieldNumber, out var text)
            && ack.IsEmpty
            && StreamPosition.TryParse(text, out position)
                ? MessageFrame.PrefixBytes + (int)length
                : -1;
    }

    private static bool TryReadField(scoped ref ReadOnlySpan<byte> message, int number, out ReadOnlySpan<byte> value)
    {
        value = default;
        if (message.Length < FieldHead || message[0] != ((number << 3) | LengthDelimited) || message[1] >= 128 || message.Length < FieldHead + message[1])
        {
            return false;
        }

        value = message.Slice(FieldHead, message[1]);
        message = message[(FieldHead + value.Length)..];
        return true;
    }
}
