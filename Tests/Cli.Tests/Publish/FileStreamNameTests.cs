using AspireStreaming.Cli.Publish;
using AspireStreaming.Client;

namespace AspireStreaming.Cli.Tests.Publish;

public sealed class FileStreamNameTests
{
    [Theory]
    [InlineData("recording.jsonl", "recording")]
    [InlineData("/some/folder/openai-chat-text.jsonl", "openai-chat-text")]
    [InlineData("my run (2).jsonl", "my-run--2-")]
    [InlineData("a.tar.gz", "a.tar")]
    [InlineData("größe.json", "gr--e")]
    public void Of_replaces_what_a_stream_may_not_have(string path, string expected)
    {
        Assert.Equal(expected, FileStreamName.Of(path));
        Assert.True(StreamName.IsValid(expected));
    }

    [Fact]
    public void Of_cuts_a_long_name() => Assert.Equal(200, FileStreamName.Of(new string('a', 250)).Length);
}
