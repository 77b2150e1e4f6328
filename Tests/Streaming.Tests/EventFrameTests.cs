using System.Buffers;
using System.Text;
using System.Text.Json;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.Streaming.Tests;

public class EventFrameTests
{
    private const string Json =
        "\"" + """specversion":"1.0","id":"1","source":"/s","type":"T","time":"2026-11-20T00:00:00Z","datacontenttype":"application/json","data":{"n":12345678901234567890}}""";

    [Fact]
    public void Encode_then_read_gives_the_same()
    {
        var frame = EventFrame.Read(EventFrame.Encode("tÿpe", EventFlags.Terminal | EventFlags.Critical, Encoding.UTF8.GetBytes(Json)));

        Assert.Equal("tÿpe", frame.TypeName());
        Assert.Equal(EventFlags.Terminal | EventFlags.Critical, frame.Flags);
        Assert.Equal(Json, Encoding.UTF8.GetString(frame.Json.Span));
    }

    [Fact]
    public void TryTake_concatenated_frames_takes_each()
    {
        ReadOnlyMemory<byte> rest = new byte[][] { Frame("A"), Frame("BB"), Frame("C") }.SelectMany(bytes => bytes).ToArray();
        var types = new List<string>();
        while (EventFrame.TryTake(ref rest, out var frame))
        {
            types.Add(frame.TypeName());
        }

        Assert.Equal(["A", "BB", "C"], types);
    }

    [Fact]
    public void TryTake_damaged_bytes_throws()
    {
        var cut = Frame("A").AsMemory()[..^1];
        Assert.Throws<InvalidDataException>(() => EventFrame.Read(cut));
        Assert.Throws<InvalidDataException>(() => EventFrame.Read(new byte[3]));
        var newer = Frame("A");
        newer[4] = 2;
        Assert.Throws<InvalidDataException>(() => EventFrame.Read(newer));
    }

    [Fact]
    public void WriteDelivered_splices_the_stored_json()
    {
        var buffer = new ArrayBufferWriter<byte>();
        var stored = new StoredEvent(new StreamPosition(1763655000000, 7), 1763655000123, EventFrame.Read(EventFrame.Encode("T", EventFlags.None, Encoding.UTF8.GetBytes(Json))));

        stored.WriteDelivered("my-stream", buffer);

        var text = Encoding.UTF8.GetString(buffer.WrittenSpan);
        Assert.Equal(
            """{"stream":"my-stream","position":"1763655000000-7","sequence":7,"recordedtime":"2025-11-20T16:10:00.123Z",""" + Json,
            text);
        Assert.Equal(7, JsonDocument.Parse(text).RootElement.GetProperty("sequence").GetInt32());
    }

    private static byte[] Frame(string type) => EventFrame.Encode(type, EventFlags.None, Encoding.UTF8.GetBytes(Json));
}
