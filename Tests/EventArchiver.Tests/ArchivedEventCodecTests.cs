using System.Text;
using AspireStreaming.Archive;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.EventArchiver.Tests;

public sealed class ArchivedEventCodecTests
{
    [Fact]
    public void Join_of_a_split_frame_gives_the_same_bytes()
    {
        const int Seed = 20261120;
        TestContext.Current.TestOutputHelper!.WriteLine($"seed {Seed}");
        var frames = new RandomFrames(Seed);
        var codec = new ArchivedEventCodec();
        var joiner = new ArchivedEventCodec();
        var kinds = new int[4];
        for (var run = 0; run < 50_000; run++)
        {
            var frame = frames.Next();

            var row = codec.Split(frame);
            var joined = joiner.Join(row);

            Assert.True(
                joined.Bytes.Span.SequenceEqual(frame.Bytes.Span),
                $"run {run}:\n{Encoding.UTF8.GetString(frame.Json.Span)}\n{Encoding.UTF8.GetString(joined.Json.Span)}");
            kinds[(int)row.DataKind]++;
        }

        Assert.All(kinds, count => Assert.InRange(count, 1000, 40_000));
    }

    [Fact]
    public void Split_of_an_ordinary_event_needs_no_attributes()
    {
        var row = new ArchivedEventCodec().Split(TestEvents.Frame("order-1", "STEP", EventFlags.Critical));

        Assert.Equal("order-1", Encoding.UTF8.GetString(row.Id));
        Assert.Equal("/t", Encoding.UTF8.GetString(row.Source));
        Assert.Equal("STEP", Encoding.UTF8.GetString(row.Type));
        Assert.Equal("{\"n\":1}", Encoding.UTF8.GetString(row.Data));
        Assert.Equal(PostgresTime.FromTicks(new DateTime(2026, 1, 31, 23, 59, 59, 999, DateTimeKind.Utc).Ticks), row.Time);
        Assert.Equal((short)EventFlags.Critical, row.Flags);
        Assert.Equal(ArchivedDataKind.Json, row.DataKind);
        Assert.True(row.Attributes.IsEmpty);
    }

    [Fact]
    public void Split_of_an_id_with_a_null_character_escapes_the_columns()
    {
        var row = new ArchivedEventCodec().Split(TestEvents.Frame("a\\u0000b\\\\c", source: "/\\\\s"));

        Assert.Equal("a\\0b\\\\c", Encoding.UTF8.GetString(row.Id));
        Assert.Equal("/\\\\s", Encoding.UTF8.GetString(row.Source));
        Assert.Equal(ArchivedEvent.EscapedText, row.Flags);
        Assert.StartsWith("{\"id\":\"a\\u0000b\\\\c\",", Encoding.UTF8.GetString(row.Attributes), StringComparison.Ordinal);
    }
}
