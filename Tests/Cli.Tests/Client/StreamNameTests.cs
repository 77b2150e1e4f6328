using AspireStreaming.Cli.Client;

namespace AspireStreaming.Cli.Tests.Client;

public sealed class StreamNameTests
{
    [Theory]
    [InlineData("recording.jsonl", "recording")]
    [InlineData("/some/folder/openai-chat-text.jsonl", "openai-chat-text")]
    [InlineData("my run (2).jsonl", "my-run--2-")]
    [InlineData("a.tar.gz", "a.tar")]
    [InlineData("größe.json", "gr--e")]
    public void FromFile_replaces_what_a_stream_may_not_have(string path, string expected)
    {
        Assert.Equal(expected, StreamName.FromFile(path));
        Assert.True(StreamName.IsValid(expected));
    }

    [Fact]
    public void FromFile_cuts_a_long_name() => Assert.Equal(200, StreamName.FromFile(new string('a', 250)).Length);
}
