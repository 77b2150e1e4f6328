using System.Buffers.Binary;
using System.Text;
using AspireStreaming.StreamApi.Rpc;
using AspireStreaming.V1;
using Google.Protobuf;

namespace AspireStreaming.StreamApi.Tests.Rpc;

public sealed class AckFrameTests
{
    [Fact]
    public void Read_finds_what_a_client_wrote_and_waits_for_a_frame_that_is_cut()
    {
        var frame = Framed(Ack("orders", "1700000000000-42"));
        byte[] more = [.. frame, 0, 0, 0];

        Assert.Equal(frame.Length, AckFrame.Read(more, out var sub, out var position));
        Assert.Equal(("orders", "1700000000000-42"), (Encoding.UTF8.GetString(sub), position.ToString()));
        for (var length = 0; length < frame.Length; length++)
        {
            Assert.Equal(0, AckFrame.Read(frame.AsSpan(0, length), out _, out _));
        }
    }

    [Fact]
    public void Read_takes_what_needs_lengths_of_one_byte_only()
    {
        var frame = Framed(Ack(new string('s', 90), "9007199254740991-9007199254740991"));
        var longer = Framed(Ack(new string('s', 91), "9007199254740991-9007199254740991"));

        Assert.True(frame.Length <= AckFrame.MaxLength);
        Assert.Equal(frame.Length, AckFrame.Read(frame, out _, out _));
        Assert.Equal(-1, AckFrame.Read(longer, out _, out _));
    }

    [Fact]
    public void Read_leaves_everything_else_to_the_parser()
    {
        var ack = Ack("s", "1-1");
        byte[][] others =
        [
            Framed(new ClientMessage { Ping = new SessionPing() }),
            Framed(new ClientMessage { Subscribe = new SessionSubscribe { Sub = "s", Stream = new string('x', 200) } }),
            Framed(new ClientMessage()),
            Framed(Ack("s", "nonsense")),
            Framed(Ack("s", "")),
            Framed(Ack("", "1-1")),

            // A field twice, a oneof twice, fields in another order, an unknown field.
            Framed([.. ack.ToByteArray(), .. ack.ToByteArray()]),
            Framed([0x12, 11, 0x0a, 1, (byte)'s', 0x0a, 1, (byte)'t', 0x12, 3, (byte)'1', (byte)'-', (byte)'1']),
            Framed([0x12, 8, 0x12, 3, (byte)'1', (byte)'-', (byte)'1', 0x0a, 1, (byte)'s']),
            Framed([0x12, 10, 0x0a, 1, (byte)'s', 0x12, 3, (byte)'1', (byte)'-', (byte)'1', 0x18, 1]),

            // Compressed, or longer than its message says.
            [1, .. Framed(ack)[1..]],
            Framed([0x12, 100, 0x0a, 1, (byte)'s']),
        ];

        foreach (var other in others)
        {
            Assert.Equal(-1, AckFrame.Read(other, out _, out _));
        }
    }

    private static ClientMessage Ack(string sub, string position) => new() { Ack = new SessionAck { Sub = sub, Position = position } };

    private static byte[] Framed(IMessage message) => Framed(message.ToByteArray());

    private static byte[] Framed(byte[] message)
    {
        var framed = new byte[5 + message.Length];
        BinaryPrimitives.WriteInt32BigEndian(framed.AsSpan(1), message.Length);
        message.CopyTo(framed, 5);
        return framed;
    }
}
