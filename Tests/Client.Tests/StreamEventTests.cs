using System.Text;

namespace AspireStreaming.Client.Tests;

public sealed class StreamEventTests
{
    [Fact]
    public void Read_takes_data_as_it_is_written()
    {
        const string Data = """{"position":"9-9", "n": 12345678901234567890123, "s":"\u00e9\/"}""";

        var item = Read($$"""{"position":"5-7","data":{{Data}},"id":"i","source":"/s","type":"t","recordedtime":"now","other":[1,{}]}""");

        Assert.Equal(new StreamPosition(5, 7), item.Position);
        Assert.Equal(("i", "/s", "t", "now"), (item.Id, item.Source, item.Type, item.RecordedTimeText));
        Assert.Equal(Data, Encoding.UTF8.GetString(item.DataToken!.Value.Span));
        Assert.False(item.IsBinary);
    }

    [Theory]
    [InlineData("""{"id":"no position"}""")]
    [InlineData("""{"position":"x"}""")]
    [InlineData("{\"position\":\"1-1\",")]
    [InlineData("""{"position":"1-1","id":"\ud800"}""")]
    [InlineData("[]")]
    [InlineData("")]
    public void Read_something_else_throws(string json) => Assert.Throws<InvalidDataException>(() => Read(json));

    private static StreamEvent Read(string json) => StreamEvent.Read(Encoding.UTF8.GetBytes(json));
}
