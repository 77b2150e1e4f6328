using AspireStreaming.Cli.CommandLine;

namespace AspireStreaming.Cli.Tests.CommandLine;

public sealed class DurationsTests
{
    [Theory]
    [InlineData("30", 30_000)]
    [InlineData("0.5", 500)]
    [InlineData("250ms", 250)]
    [InlineData("2s", 2_000)]
    [InlineData("2m", 120_000)]
    [InlineData("1h", 3_600_000)]
    [InlineData("0", 0)]
    public void TryParse_units(string text, long milliseconds)
    {
        Assert.True(Durations.TryParse(text, out var duration));
        Assert.Equal(TimeSpan.FromMilliseconds(milliseconds), duration);
    }

    [Theory]
    [InlineData("")]
    [InlineData("s")]
    [InlineData("-1")]
    [InlineData("1d")]
    [InlineData("1e3")]
    [InlineData("1000000h")]
    [InlineData("99999999999999999999999999")]
    public void TryParse_something_else_is_refused(string text) => Assert.False(Durations.TryParse(text, out _));
}
