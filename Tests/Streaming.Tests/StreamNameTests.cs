using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.Streaming.Tests;

public class StreamNameTests
{
    [Theory]
    [InlineData("a")]
    [InlineData("run-1.agent_2:x~y")]
    [InlineData("...")]
    public void IsValid_allowed_characters_accepts(string name) => Assert.True(StreamName.IsValid(name));

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData("a/b")]
    [InlineData("a b")]
    [InlineData("ä")]
    [InlineData("a\n")]
    [InlineData("{x}")]
    public void IsValid_anything_else_refuses(string name) => Assert.False(StreamName.IsValid(name));

    [Fact]
    public void IsValid_length_accepts_200_and_refuses_201()
    {
        Assert.True(StreamName.IsValid(new string('x', 200)));
        Assert.False(StreamName.IsValid(new string('x', 201)));
    }

    /// <summary>Stored data depends on these numbers: a change loses every stream.</summary>
    [Theory]
    [InlineData("a", 32)]
    [InlineData("openai-mcp-tool", 7)]
    [InlineData("workflow:0001", 23)]
    public void PartitionOf_known_names_never_changes(string name, int partition) => Assert.Equal(partition, StreamName.PartitionOf(name));

    [Fact]
    public void PartitionOf_many_names_spreads_evenly()
    {
        var counts = new int[StreamName.PartitionCount];
        for (var number = 0; number < 64_000; number++)
        {
            counts[StreamName.PartitionOf($"run-{number}")]++;
        }

        Assert.All(counts, count => Assert.InRange(count, 800, 1200));
    }
}
