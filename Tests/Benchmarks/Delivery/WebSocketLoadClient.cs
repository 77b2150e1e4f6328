using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace AspireStreaming.Benchmarks.Delivery;

/// <summary>A session over WebSocket: goes from frame to frame and acknowledges the last event of each subscription that it finds.</summary>
internal sealed class WebSocketLoadClient(string stream, int subscriptions) : LoadClient
{
    private readonly ArrayBufferWriter<byte> _answer = new();
    private bool _isOpen;

    protected override int Subscriptions => subscriptions;

    protected override ReadOnlyMemory<byte> Opening() =>
        "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"u8.ToArray();

    protected override int Take(ReadOnlySpan<byte> received)
    {
        _answer.ResetWrittenCount();
        var used = 0;
        if (!_isOpen)
        {
            var end = received.IndexOf("\r\n\r\n"u8);
            if (end < 0)
            {
                return 0;
            }

            _isOpen = true;
            used = end + 4;
            for (var sub = 0; sub < subscriptions; sub++)
            {
                Send(string.Create(CultureInfo.InvariantCulture, $$"""{"type":"subscribe","sub":"{{SubNames.First + sub}}","stream":"{{stream}}"}"""));
            }
        }

        // Only the last of a row of events of one subscription is looked at.
        ReadOnlySpan<byte> last = default;
        while (TryReadFrame(received[used..], out var head, out var payload))
        {
            used += head + payload.Length;
            if (payload.StartsWith("{\"type\":\"event\""u8))
            {
                if (!last.IsEmpty && !SubOf(last).SequenceEqual(SubOf(payload)))
                {
                    Acknowledge(last);
                }

                last = payload;
            }
            else if (payload.IndexOf(CaughtUp) >= 0)
            {
                OnCaughtUp();
            }
            else if (payload.IndexOf(End) >= 0)
            {
                OnEnd();
            }
        }

        if (!last.IsEmpty)
        {
            Acknowledge(last);
        }

        return used;
    }

    protected override ReadOnlyMemory<byte> Answer() => _answer.WrittenMemory;

    private static ReadOnlySpan<byte> SubOf(ReadOnlySpan<byte> payload) => payload.Slice("{\"type\":\"event\",\"sub\":\""u8.Length, SubNames.Length);

    private static bool TryReadFrame(ReadOnlySpan<byte> bytes, out int head, out ReadOnlySpan<byte> payload)
    {
        payload = default;
        head = bytes.Length < 2 || bytes[1] < 126 ? 2 : 4;
        if (bytes.Length < head)
        {
            return false;
        }

        var length = head == 2 ? bytes[1] : BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]);
        if (bytes.Length < head + length)
        {
            return false;
        }

        payload = bytes.Slice(head, length);
        return true;
    }

    private void Acknowledge(ReadOnlySpan<byte> payload)
    {
        var member = "\"position\":\""u8;
        var position = payload[(payload.IndexOf(member) + member.Length)..];
        position = position[..position.IndexOf((byte)'"')];
        var sub = SubOf(payload);
        var before = "{\"type\":\"ack\",\"sub\":\""u8;
        var between = "\",\"position\":\""u8;
        var after = "\"}"u8;

        // In parts: a string for each would be a part of what is measured.
        SendHead(before.Length + sub.Length + between.Length + position.Length + after.Length);
        _answer.Write(before);
        _answer.Write(sub);
        _answer.Write(between);
        _answer.Write(position);
        _answer.Write(after);
    }

    private void Send(string text)
    {
        SendHead(Encoding.ASCII.GetByteCount(text));
        Encoding.ASCII.GetBytes(text, _answer);
    }

    /// <summary>The head of a masked text frame whose mask changes nothing.</summary>
    private void SendHead(int length)
    {
        if (length > 125)
        {
            throw new ArgumentException("The message is longer than a short frame.", nameof(length));
        }

        _answer.Write<byte>([0x81, (byte)(0x80 | length), 0, 0, 0, 0]);
    }
}
