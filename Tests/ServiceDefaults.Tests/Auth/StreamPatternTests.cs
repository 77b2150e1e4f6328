using AspireStreaming.ServiceDefaults.Auth;

namespace AspireStreaming.ServiceDefaults.Tests.Auth;

public sealed class StreamPatternTests
{
    [Theory]
    [InlineData("orders", "orders", true)]
    [InlineData("orders", "orders2", false)]
    [InlineData("orders", "Orders", false)]
    [InlineData("*", "anything:at.all~1", true)]
    [InlineData("runs:*", "runs:", true)]
    [InlineData("runs:*", "runs:42", true)]
    [InlineData("runs:*", "run:42", false)]
    [InlineData("*-log", "a-log", true)]
    [InlineData("*-log", "a-log-b", false)]
    [InlineData("a*b*c", "abc", true)]
    [InlineData("a*b*c", "a-b-b-c", true)]
    [InlineData("a*b*c", "a-c-b", false)]
    [InlineData("**", "x", true)]
    [InlineData("", "x", false)]
    [InlineData("a.c", "abc", false)]
    [InlineData("team-*-logs", "team--logs", true)]
    [InlineData("team-*-logs", "team-logs", false)]
    public void Matches_pattern_as_documented(string pattern, string name, bool expected) =>
        Assert.Equal(expected, StreamPattern.Matches(pattern, name));

    [Fact]
    public void Matches_many_stars_against_a_long_name_stays_quick()
    {
        var pattern = string.Concat(Enumerable.Repeat("a*", 100)) + "b";

        Assert.False(StreamPattern.Matches(pattern, new string('a', 200)));
    }
}
