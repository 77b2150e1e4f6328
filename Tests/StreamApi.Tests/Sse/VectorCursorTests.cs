using System.Buffers.Text;
using System.Text;
using AspireStreaming.StreamApi.Sse;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Tests.Sse;

public sealed class VectorCursorTests
{
    private static readonly string[] Names = ["a", "b", "c"];

    [Fact]
    public void Format_is_a_version_a_hash_of_the_names_and_varints()
    {
        var text = Format(new VectorCursor(Names), [new(1, 2), default, new(300, 128)]);

        var bytes = Base64Url.DecodeFromChars(text);
        Assert.Equal(1, bytes[0]);
        Assert.Equal(System.Security.Cryptography.SHA256.HashData("a\nb\nc\n"u8)[..8], bytes[1..9]);
        Assert.Equal([1, 2, 0, 0, 0xAC, 0x02, 0x80, 0x01], bytes[9..]);
    }

    [Fact]
    public void Parse_reads_what_format_wrote()
    {
        var random = new Random(7);
        for (var round = 0; round < 500; round++)
        {
            string[] names = [.. Enumerable.Range(0, random.Next(1, VectorCursor.MaxStreams + 1)).Select(index => $"s{index}")];
            StreamPosition[] positions = [.. names.Select(_ => new StreamPosition(Number(random), Number(random)))];
            var cursor = new VectorCursor(names);

            Assert.True(cursor.TryParse(Format(cursor, positions), out var parsed));
            Assert.Equal(positions, parsed);
        }
    }

    [Fact]
    public void Format_of_fifty_streams_of_today_is_below_one_kilobyte()
    {
        string[] names = [.. Enumerable.Range(0, VectorCursor.MaxStreams).Select(index => $"s{index}")];
        var likely = Format(new VectorCursor(names), [.. names.Select(_ => new StreamPosition(1_795_000_000_000, 1_000_000))]);
        var largest = Format(new VectorCursor(names), [.. names.Select(_ => new StreamPosition(StreamPosition.MaxValue, StreamPosition.MaxValue))]);

        Assert.InRange(likely.Length, 1, 1_000);
        Assert.Equal(VectorCursor.MaxTextLength, largest.Length);
        Assert.True(new VectorCursor(names).TryParse(largest, out _));
    }

    [Theory]
    [InlineData("a", "b")]
    [InlineData("b", "a", "c")]
    [InlineData("a", "b", "c", "d")]
    [InlineData("a", "b", "d")]
    public void Parse_refuses_the_cursor_of_another_list(params string[] others)
    {
        var text = Format(new VectorCursor(others), new StreamPosition[others.Length]);

        Assert.False(new VectorCursor(Names).TryParse(text, out _));
    }

    [Fact]
    public void Parse_refuses_everything_else()
    {
        var cursor = new VectorCursor(Names);
        var bytes = Base64Url.DecodeFromChars(Format(cursor, [new(1, 2), new(3, 4), new(5, 6)]));

        Assert.True(cursor.TryParse(Base64Url.EncodeToString(bytes), out _));
        Assert.False(cursor.TryParse("", out _));
        Assert.False(cursor.TryParse("1700000000000-42", out _));
        Assert.False(cursor.TryParse("%%%", out _));
        Assert.False(cursor.TryParse(new string('A', 10_000), out _));
        Assert.False(cursor.TryParse(Base64Url.EncodeToString([2, .. bytes[1..]]), out _));
        Assert.False(cursor.TryParse(Base64Url.EncodeToString(bytes.AsSpan(..^1)), out _));
        Assert.False(cursor.TryParse(Base64Url.EncodeToString([.. bytes, 0]), out _));
        Assert.False(cursor.TryParse(Base64Url.EncodeToString([.. bytes[..9], 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 1, 1, 1, 1, 1]), out _));
        Assert.False(cursor.TryParse(Base64Url.EncodeToString([.. bytes[..9], .. Enumerable.Repeat((byte)0x80, 40)]), out _));
    }

    private static string Format(VectorCursor cursor, StreamPosition[] positions)
    {
        Span<byte> text = stackalloc byte[VectorCursor.MaxTextLength];
        return Encoding.ASCII.GetString(text[..cursor.Format(positions, text)]);
    }

    private static long Number(Random random) => random.NextInt64(0, 1L << random.Next(1, 54)) & StreamPosition.MaxValue;
}
