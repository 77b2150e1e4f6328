using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.Streaming.Tests;

public class StreamPositionTests
{
    [Theory]
    [InlineData("0-0", 0, 0)]
    [InlineData("1763655000000-42", 1763655000000, 42)]
    [InlineData("9007199254740991-9007199254740991", 9007199254740991, 9007199254740991)]
    public void TryParse_valid_text_round_trips(string text, long epoch, long sequence)
    {
        Assert.True(StreamPosition.TryParse(text, out var position));
        Assert.Equal(new StreamPosition(epoch, sequence), position);
        Assert.Equal(text, position.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("-")]
    [InlineData("1")]
    [InlineData("1-")]
    [InlineData("-1")]
    [InlineData("1--1")]
    [InlineData("+1-1")]
    [InlineData("1- 1")]
    [InlineData("1-1-1")]
    [InlineData("1.0-1")]
    [InlineData("9007199254740992-1")]
    [InlineData("11111111111111111-1")]
    [InlineData("1-1\n")]
    [InlineData("١-1")]
    public void TryParse_anything_else_refuses(string text) => Assert.False(StreamPosition.TryParse(text, out _));

    [Fact]
    public void CompareTo_is_numeric_epoch_first()
    {
        Assert.True(new StreamPosition(2, 1) > new StreamPosition(1, 9));
        Assert.True(new StreamPosition(1, 10) > new StreamPosition(1, 9));
        Assert.True(StreamPosition.Zero < new StreamPosition(0, 1));
    }
}
