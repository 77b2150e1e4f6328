using System.Text;
using AspireStreaming.Streaming.Redis.Wire;

namespace AspireStreaming.Streaming.Tests.Redis;

/// <summary>Replies of Redis as they are received: in pieces, or damaged.</summary>
public sealed class RespReplyTests
{
    [Theory]
    [InlineData("+OK\r\n", RespKind.Simple, "OK", 0)]
    [InlineData("-ERR no\r\n", RespKind.Error, "ERR no", 0)]
    [InlineData(":-7\r\n", RespKind.Integer, "-7", 0)]
    [InlineData("$5\r\na\r\nbc\r\n", RespKind.Bulk, "a\r\nbc", 0)]
    [InlineData("$0\r\n\r\n", RespKind.Bulk, "", 0)]
    [InlineData("$-1\r\n", RespKind.Bulk, "", -1)]
    [InlineData("*-1\r\n", RespKind.Array, "", -1)]
    [InlineData("*0\r\n", RespKind.Array, "", 0)]
    [InlineData("*2\r\n*1\r\n:1\r\n$1\r\na\r\n", RespKind.Array, "*1\r\n:1\r\n$1\r\na\r\n", 2)]
    internal void Reply_is_read_once_it_is_whole_and_not_before(string text, RespKind kind, string value, int count)
    {
        var received = Encoding.ASCII.GetBytes(text);
        for (var part = 0; part < received.Length; part++)
        {
            Assert.False(RespReply.TryRead(received.AsSpan(0, part), out _, out _));
        }

        Assert.True(RespReply.TryRead([.. received, (byte)'+'], out var reply, out var length));
        Assert.Equal((kind, value, count, received.Length), (reply.Kind, reply.Text, reply.Count, length));
    }

    [Theory]
    [InlineData("OK\r\n")]
    [InlineData("\r\n")]
    [InlineData("+OK\n")]
    [InlineData("$x\r\n")]
    [InlineData("$-2\r\n")]
    [InlineData("$99999999999\r\n")]
    [InlineData("$999999999\r\n")]
    [InlineData("*9999999\r\n")]
    [InlineData("$1\r\nabc")]
    [InlineData("*1\r\n*1\r\n*1\r\n:1\r\n")]
    public void Anything_else_is_refused(string text) =>
        Assert.Throws<InvalidDataException>(() => RespReply.TryRead(Encoding.ASCII.GetBytes(text), out _, out _));

    [Fact]
    public void Line_without_an_end_is_refused() =>
        Assert.Throws<InvalidDataException>(() => RespReply.TryRead(Encoding.ASCII.GetBytes("+" + new string('x', 1 << 17)), out _, out _));

    [Fact]
    public void Commands_are_written_with_lengths_in_bytes()
    {
        var buffer = new RespBuffer();
        buffer.WriteCommand(4);
        buffer.Write("X"u8);
        buffer.Write("ä");
        buffer.Write(-12L);
        buffer.WriteHex([0xab, 0x01]);

        Assert.Equal("*4\r\n$1\r\nX\r\n$2\r\nä\r\n$3\r\n-12\r\n$4\r\nab01\r\n", Encoding.UTF8.GetString(buffer.Written));
        buffer.Clear();
        buffer.Write(new byte[3 << 20]);
        Assert.Equal((3 << 20) + "$3145728\r\n\r\n".Length, buffer.Length);
        buffer.Clear();
        Assert.Equal(0, buffer.Length);
    }
}
