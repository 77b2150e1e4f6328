using System.Buffers.Binary;
using System.Text;
using AspireStreaming.StreamApi.Sessions.WebSockets;

namespace AspireStreaming.StreamApi.Tests.Sessions;

public sealed class ClientFramesTests
{
    private const byte Text = 1;
    private const byte Binary = 2;
    private const byte Continuation = 0;
    private const byte Close = 8;
    private const byte Ping = 9;

    [Fact]
    public void Pass_offers_short_text_messages_and_passes_everything_else_as_it_came_however_it_is_cut()
    {
        var random = new Random(7);
        for (var round = 0; round < 300; round++)
        {
            var sent = new List<byte>();
            var passed = new List<byte>();
            var taken = new List<string>();
            for (var count = 0; count < 30; count++)
            {
                AddRandom(random, sent, passed, taken);
            }

            var client = new Client(random, message => message.StartsWith("take", StringComparison.Ordinal));
            client.Send([.. sent]);

            Assert.Equal(taken, client.Taken);
            Assert.Equal(passed, client.Passed);
        }
    }

    [Fact]
    public void Pass_takes_nothing_behind_a_message_before_the_WebSocket_has_all_of_that()
    {
        var frames = new ClientFrames { Taker = static _ => true };
        var first = Frame(Text, true, new string('a', 200));
        byte[] both = [.. first, .. Frame(Text, true, "take")];
        both.CopyTo(frames.Room());
        frames.Add(both.Length);

        // One read of the WebSocket has no more than the first message, however much there is room for.
        var into = new byte[1_000];
        Assert.Equal(first.Length, frames.Pass(into, out var isTaken));
        Assert.False(isTaken);
        Assert.Equal(0, frames.Pass(into, out isTaken));
        Assert.True(isTaken);
    }

    [Fact]
    public void Pass_offers_nothing_within_a_fragmented_message_and_nothing_after_a_close()
    {
        byte[] sent =
        [
            .. Frame(Text, false, "take 1"), .. Frame(Ping, true, "p"), .. Frame(Continuation, true, "take 2"), .. Frame(Text, true, "take 3"),
            .. Frame(Close, true, ""), .. Frame(Text, true, "take 4"),
        ];
        var client = new Client(new Random(1), static _ => true);

        client.Send(sent);

        Assert.Equal(["take 3"], client.Taken);
    }

    [Fact]
    public void Pass_gives_what_is_not_masked_and_what_is_cut_off_to_the_WebSocket()
    {
        byte[] unmasked = [0x81, 4, .. "take"u8];
        var client = new Client(new Random(1), static _ => true);
        client.Send(unmasked);
        Assert.Equal(unmasked, client.Passed);

        client = new Client(new Random(1), static _ => true);
        var cut = Frame(Text, true, "take")[..7];
        client.Send(cut);
        client.End();
        Assert.Empty(client.Taken);
        Assert.Equal(cut, client.Passed);
    }

    private static void AddRandom(Random random, List<byte> sent, List<byte> passed, List<string> taken)
    {
        switch (random.Next(6))
        {
            case 0:
                var take = "take " + random.Next();
                sent.AddRange(Frame(Text, true, take));
                taken.Add(take);
                break;
            case 1:
                Pass(Frame(Text, true, "leave " + new string('x', random.Next(110))));
                break;
            case 2:
                Pass(Frame(Text, true, "take" + new string('x', random.Next(122, 70_000))));
                break;
            case 3:
                Pass(Frame(Binary, true, "take"));
                break;
            case 4:
                Pass(Frame(Ping, true, "take"));
                break;
            default:
                Pass(Frame(Text, false, "take"));
                Pass(Frame(Continuation, false, "take"));
                Pass(Frame(Ping, true, "take"));
                Pass(Frame(Continuation, true, "take"));
                break;
        }

        void Pass(byte[] frame)
        {
            sent.AddRange(frame);
            passed.AddRange(frame);
        }
    }

    private static byte[] Frame(byte code, bool isFinal, string text)
    {
        byte[] mask = [1, 2, 3, 4];
        var payload = Encoding.ASCII.GetBytes(text);
        for (var index = 0; index < payload.Length; index++)
        {
            payload[index] ^= mask[index % 4];
        }

        var length = new byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(length, (ulong)payload.Length);
        byte[] head = payload.Length switch
        {
            <= 125 => [(byte)(0x80 | payload.Length)],
            <= ushort.MaxValue => [0x80 | 126, .. length[6..]],
            _ => [0x80 | 127, .. length],
        };
        return [(byte)((isFinal ? 0x80 : 0) | code), .. head, .. mask, .. payload];
    }

    /// <summary>Sends in pieces of any size, and reads as a WebSocket does: what it gets, in whatever room it has.</summary>
    private sealed class Client
    {
        private readonly Random _random;
        private readonly ClientFrames _frames;

        public Client(Random random, Func<string, bool> takes)
        {
            _random = random;
            _frames = new ClientFrames
            {
                Taker = message =>
                {
                    var text = Encoding.ASCII.GetString(message);
                    if (!takes(text))
                    {
                        return false;
                    }

                    Taken.Add(text);
                    return true;
                },
            };
        }

        public List<string> Taken { get; } = [];

        public List<byte> Passed { get; } = [];

        public void Send(ReadOnlySpan<byte> bytes)
        {
            while (!bytes.IsEmpty)
            {
                var room = _frames.Room().Span;
                var count = Math.Min(bytes.Length, Math.Min(room.Length, _random.Next(1, 300)));
                bytes[..count].CopyTo(room);
                bytes = bytes[count..];
                _frames.Add(count);
                Drain();
            }
        }

        public void End()
        {
            _frames.Add(0);
            Drain();
        }

        private void Drain()
        {
            while (true)
            {
                var into = new byte[_random.Next(1, 200)];
                var count = _frames.Pass(into, out _);
                Passed.AddRange(into[..count]);
                if (count == 0)
                {
                    return;
                }
            }
        }
    }
}
