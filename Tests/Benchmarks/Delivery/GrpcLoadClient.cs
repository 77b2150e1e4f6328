using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using AspireStreaming.V1;
using Google.Protobuf;

namespace AspireStreaming.Benchmarks.Delivery;

/// <summary>
/// HTTP/2 and gRPC as far as these calls need them: a prepared HEADERS frame for each call, DATA frames cut into messages, credit given
/// back when half of it is used, the server's SETTINGS and PING answered. A session acknowledges the last event of each subscription
/// that one read brought.
/// </summary>
/// <param name="stream">The stream that all subscriptions follow.</param>
/// <param name="calls">Calls on this connection.</param>
/// <param name="subscriptions">Subscriptions of each call; 0: the calls are <c>Streams.Subscribe</c>.</param>
internal sealed class GrpcLoadClient(string stream, int calls, int subscriptions) : LoadClient
{
    private const int FrameHead = 9;
    private const int MessagePrefix = 5;
    private const int StreamWindow = 1 << 20;
    private const int ConnectionWindow = 16 << 20;
    private const int DefaultWindow = (1 << 16) - 1;
    private const byte EventTag = (ServerMessage.EventFieldNumber << 3) | 2;

    private readonly ArrayBufferWriter<byte> _answer = new();
    private readonly Call[] _calls = [.. Enumerable.Range(0, calls).Select(_ => new Call())];
    private int _frameLeft;
    private Call? _frameCall;
    private int _used;

    private enum FrameType : byte
    {
        Data = 0,
        Headers = 1,
        Reset = 3,
        Settings = 4,
        Ping = 6,
        GoAway = 7,
        WindowUpdate = 8,
    }

    private bool IsSession => subscriptions > 0;

    protected override int Subscriptions => calls * Math.Max(1, subscriptions);

    protected override ReadOnlyMemory<byte> Opening()
    {
        _answer.Write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8);
        Span<byte> setting = stackalloc byte[6];
        BinaryPrimitives.WriteUInt16BigEndian(setting, 4);
        BinaryPrimitives.WriteInt32BigEndian(setting[2..], StreamWindow);
        WriteFrame(FrameType.Settings, 0, 0, setting);
        WriteCredit(0, ConnectionWindow - DefaultWindow);
        for (var call = 0; call < calls; call++)
        {
            var id = (call * 2) + 1;
            WriteFrame(FrameType.Headers, 4, id, Headers(IsSession ? nameof(Streams.StreamsClient.Session) : nameof(Streams.StreamsClient.Subscribe)));
            if (!IsSession)
            {
                WriteFrame(FrameType.Data, 1, id, Framed(new SubscribeRequest { Stream = stream }));
            }

            for (var sub = 0; sub < subscriptions; sub++)
            {
                var name = (SubNames.First + sub).ToString(CultureInfo.InvariantCulture);
                WriteFrame(FrameType.Data, 0, id, Framed(new ClientMessage { Subscribe = new SessionSubscribe { Sub = name, Stream = stream } }));
            }
        }

        return _answer.WrittenMemory.ToArray();
    }

    protected override int Take(ReadOnlySpan<byte> received)
    {
        _answer.ResetWrittenCount();
        var at = 0;
        while (true)
        {
            if (_frameLeft > 0)
            {
                // The part of a DATA frame that is there.
                var part = received.Slice(at, Math.Min(_frameLeft, received.Length - at));
                at += part.Length;
                _frameLeft -= part.Length;
                TakeData(_frameCall!, part);
                if (_frameLeft > 0)
                {
                    break;
                }
            }

            if (received.Length - at < FrameHead)
            {
                break;
            }

            var head = received.Slice(at, FrameHead);
            var length = (head[0] << 16) | (head[1] << 8) | head[2];
            var id = BinaryPrimitives.ReadInt32BigEndian(head[5..]);
            if ((FrameType)head[3] == FrameType.Data)
            {
                at += FrameHead;
                _frameLeft = length;
                _frameCall = _calls[id / 2];
                GiveBack(id, _frameCall, length);
                continue;
            }

            if (received.Length - at < FrameHead + length)
            {
                break;
            }

            TakeFrame((FrameType)head[3], head[4], received.Slice(at + FrameHead, length));
            at += FrameHead + length;
        }

        if (IsSession)
        {
            for (var call = 0; call < calls; call++)
            {
                Acknowledge(call);
            }
        }

        return at;
    }

    protected override ReadOnlyMemory<byte> Answer() => _answer.WrittenMemory;

    private static byte[] Headers(string method)
    {
        var block = new ArrayBufferWriter<byte>();
        block.Write<byte>([0x83, 0x86]);
        Literal([0x04], $"/aspirestreaming.v1.Streams/{method}");
        Literal([0x01], "localhost");
        Literal([0x0f, 0x10], "application/grpc");
        Literal([0x00, 0x02, .. "te"u8], "trailers");
        return block.WrittenSpan.ToArray();

        // Field without indexing, with a name from the static table or spelled out.
        void Literal(ReadOnlySpan<byte> name, string value)
        {
            block.Write(name);
            block.Write<byte>([(byte)value.Length]);
            Encoding.ASCII.GetBytes(value, block);
        }
    }

    private static byte[] Framed(IMessage message)
    {
        var bytes = message.ToByteArray();
        var framed = new byte[MessagePrefix + bytes.Length];
        BinaryPrimitives.WriteInt32BigEndian(framed.AsSpan(1), bytes.Length);
        bytes.CopyTo(framed, MessagePrefix);
        return framed;
    }

    private static ReadOnlySpan<byte> SubOf(ReadOnlySpan<byte> message) => message.Slice(2, SubNames.Length);

    private void TakeFrame(FrameType type, byte flags, ReadOnlySpan<byte> payload)
    {
        switch (type)
        {
            case FrameType.Settings when (flags & 1) == 0:
                WriteFrame(FrameType.Settings, 1, 0, default);
                break;
            case FrameType.Ping when (flags & 1) == 0:
                WriteFrame(FrameType.Ping, 1, 0, payload);
                break;
            case FrameType.Reset or FrameType.GoAway:
                throw new IOException($"The server sent {type}.");
            default:
                break;
        }
    }

    private void TakeData(Call call, ReadOnlySpan<byte> data)
    {
        if (call.Partial.WrittenCount > 0)
        {
            // The message that the last read cut in two.
            var needed = call.Partial.WrittenCount < MessagePrefix ? MessagePrefix : MessageLength(call.Partial.WrittenSpan);
            while (call.Partial.WrittenCount < needed && !data.IsEmpty)
            {
                var part = Math.Min(needed - call.Partial.WrittenCount, data.Length);
                call.Partial.Write(data[..part]);
                data = data[part..];
                needed = call.Partial.WrittenCount < MessagePrefix ? MessagePrefix : MessageLength(call.Partial.WrittenSpan);
            }

            if (call.Partial.WrittenCount < needed)
            {
                return;
            }

            TakeMessage(call, call.Partial.WrittenSpan[MessagePrefix..]);
            call.Partial.ResetWrittenCount();
        }

        ReadOnlySpan<byte> last = default;
        while (data.Length >= MessagePrefix && data.Length >= MessageLength(data))
        {
            var message = data[MessagePrefix..MessageLength(data)];
            data = data[MessageLength(data)..];
            if (!IsSession || message[6] != EventTag)
            {
                TakeMessage(call, message);
                continue;
            }

            // Only the last of a row of events of one subscription is looked at.
            if (!last.IsEmpty && !SubOf(last).SequenceEqual(SubOf(message)))
            {
                call.Keep(SubOf(last), PositionOf(last));
            }

            last = message;
        }

        if (!last.IsEmpty)
        {
            call.Keep(SubOf(last), PositionOf(last));
        }

        call.Partial.Write(data);
    }

    private static int MessageLength(ReadOnlySpan<byte> message) => MessagePrefix + BinaryPrimitives.ReadInt32BigEndian(message[1..]);

    private void TakeMessage(Call call, ReadOnlySpan<byte> message)
    {
        var isEvent = IsSession ? message[6] == EventTag : message[0] == ((V1.Delivery.EventFieldNumber << 3) | 2);
        if (isEvent)
        {
            if (IsSession)
            {
                call.Keep(SubOf(message), PositionOf(message));
            }
        }
        else if (message.IndexOf(CaughtUp) >= 0)
        {
            OnCaughtUp();
        }
        else if (message.IndexOf(End) >= 0)
        {
            OnEnd();
        }
    }

    /// <summary>The position in an event behind the name of its subscription: its fields come in the order of their numbers.</summary>
    private static ReadOnlySpan<byte> PositionOf(ReadOnlySpan<byte> message)
    {
        var at = 2 + SubNames.Length + 1;
        _ = Varint(message, ref at);
        while (true)
        {
            var tag = message[at++];
            var length = Varint(message, ref at);
            if (tag == ((Event.PositionFieldNumber << 3) | 2))
            {
                return message.Slice(at, length);
            }

            at += length;
        }
    }

    private static int Varint(ReadOnlySpan<byte> bytes, ref int at)
    {
        var value = 0;
        for (var shift = 0; ; shift += 7)
        {
            var part = bytes[at++];
            value |= (part & 0x7f) << shift;
            if (part < 0x80)
            {
                return value;
            }
        }
    }

    private void Acknowledge(int index)
    {
        var call = _calls[index];
        if (call.Last.Count == 0)
        {
            return;
        }

        // All acknowledgements of a call in one DATA frame, or a few.
        const int AckBytes = 64;
        Span<byte> frame = stackalloc byte[16 << 10];
        var used = 0;
        foreach (var (sub, position) in call.Last)
        {
            if (used + AckBytes > frame.Length)
            {
                WriteFrame(FrameType.Data, 0, (index * 2) + 1, frame[..used]);
                used = 0;
            }

            used += WriteAck(frame[used..], sub, position);
        }

        call.Last.Clear();
        WriteFrame(FrameType.Data, 0, (index * 2) + 1, frame[..used]);
    }

    /// <summary>A framed acknowledgement, field by field: making a message for each would be a part of what is measured.</summary>
    private static int WriteAck(Span<byte> bytes, int sub, string position)
    {
        const byte Text = 2;
        const int FieldHead = 2;
        var length = FieldHead + SubNames.Length + FieldHead + position.Length;
        bytes[..MessagePrefix].Clear();
        bytes[MessagePrefix - 1] = (byte)(FieldHead + length);
        bytes = bytes[MessagePrefix..];
        bytes[0] = (ClientMessage.AckFieldNumber << 3) | Text;
        bytes[1] = (byte)length;
        bytes[2] = (SessionAck.SubFieldNumber << 3) | Text;
        bytes[3] = SubNames.Length;
        sub.TryFormat(bytes[4..], out _, default, CultureInfo.InvariantCulture);
        bytes = bytes[(4 + SubNames.Length)..];
        bytes[0] = (SessionAck.PositionFieldNumber << 3) | Text;
        bytes[1] = (byte)position.Length;
        Encoding.ASCII.GetBytes(position, bytes[2..]);
        return MessagePrefix + FieldHead + length;
    }

    private void GiveBack(int id, Call call, int bytes)
    {
        _used += bytes;
        if (_used >= ConnectionWindow / 2)
        {
            WriteCredit(0, _used);
            _used = 0;
        }

        call.Used += bytes;
        if (call.Used >= StreamWindow / 2)
        {
            WriteCredit(id, call.Used);
            call.Used = 0;
        }
    }

    private void WriteCredit(int id, int bytes)
    {
        Span<byte> payload = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(payload, bytes);
        WriteFrame(FrameType.WindowUpdate, 0, id, payload);
    }

    private void WriteFrame(FrameType type, byte flags, int id, ReadOnlySpan<byte> payload)
    {
        Span<byte> head = stackalloc byte[FrameHead];
        BinaryPrimitives.WriteInt32BigEndian(head, payload.Length << 8);
        head[3] = (byte)type;
        head[4] = flags;
        BinaryPrimitives.WriteInt32BigEndian(head[5..], id);
        _answer.Write(head);
        _answer.Write(payload);
    }

    private sealed class Call
    {
        /// <summary>The beginning of a message whose rest has not come yet.</summary>
        public ArrayBufferWriter<byte> Partial { get; } = new();

        /// <summary>What is to be acknowledged: the last position of each subscription.</summary>
        public Dictionary<int, string> Last { get; } = [];

        /// <summary>Bytes received and not given back.</summary>
        public int Used { get; set; }

        public void Keep(ReadOnlySpan<byte> sub, ReadOnlySpan<byte> position) =>
            Last[int.Parse(sub, CultureInfo.InvariantCulture)] = Encoding.ASCII.GetString(position);
    }
}
