using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.Streaming.Tests;

public class Rfc3339Tests
{
    [Theory]
    [InlineData("2026-11-20T16:45:54Z")]
    [InlineData("2026-11-20t16:45:54z")]
    [InlineData("2026-11-20T17:45:54+01:00")]
    [InlineData("2026-11-20T16:45:54.000000000Z")]
    [InlineData("2026-11-20 16:45:54Z")]
    public void TryParse_every_form_gives_the_time(string text)
    {
        Assert.True(Rfc3339.TryParse(text, out var time));
        Assert.Equal(new DateTimeOffset(2026, 11, 20, 16, 45, 54, TimeSpan.Zero), time);
    }

    [Theory]
    [InlineData("2026-11-20")]
    [InlineData("2026-11-20T16:45:54")]
    [InlineData("2026-11-20T16:45Z")]
    [InlineData("2026-13-20T16:45:54Z")]
    [InlineData("20 Nov 2026 16:45:54 GMT")]
    [InlineData("2026-11-20T16:45:54.Z")]
    public void TryParse_anything_else_refuses(string text) => Assert.False(Rfc3339.TryParse(text, out _));

    [Fact]
    public void Format_has_milliseconds_and_utc() => Assert.Equal("2025-11-20T16:10:00.007Z", Rfc3339.Format(1763655000007));
}
