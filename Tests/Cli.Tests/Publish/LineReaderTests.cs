using System.Text;
using AspireStreaming.Cli.Publish;
using AspireStreaming.TestSupport;

namespace AspireStreaming.Cli.Tests.Publish;

public sealed class LineReaderTests
{
    [Fact]
    public async Task ReadAsync_cut_at_every_byte_reads_the_same()
    {
        var bytes = Encoding.UTF8.GetBytes("\uFEFFone\r\n\ntwo é\nlast");
        for (var cut = 1; cut < bytes.Length; cut++)
        {
            var reader = new LineReader(new ChunkedStream([bytes[..cut], bytes[cut..]]), "f", 100);

            Assert.Equal("one", await TextAsync(reader));
            Assert.Equal("", await TextAsync(reader));
            Assert.Equal("two é", await TextAsync(reader));
            Assert.Equal("last", await TextAsync(reader));
            Assert.Equal((4L, (long)bytes.Length), (reader.LineNumber, reader.BytesRead));
            Assert.Null(await TextAsync(reader));
        }
    }

    [Theory]
    [InlineData("\n")]
    [InlineData("\r\n")]
    [InlineData("")]
    public async Task ReadAsync_longest_line_passes_and_one_byte_more_does_not(string end)
    {
        const int Limit = 100_000;
        var longest = new string('x', Limit);

        Assert.Equal(longest, await TextAsync(new LineReader(Input(longest + end), "f", Limit)));
        var fault = await Assert.ThrowsAsync<CliException>(() => TextAsync(new LineReader(Input(longest + "y" + end), "f", Limit)));

        Assert.Equal(ExitCode.BadInput, fault.ExitCode);
        Assert.StartsWith("f:1: ", fault.Message, StringComparison.Ordinal);
    }

    private static ChunkedStream Input(string text) => new(Encoding.UTF8.GetBytes(text).Chunk(1024));

    private static async Task<string?> TextAsync(LineReader reader) =>
        await reader.ReadAsync(TestContext.Current.CancellationToken) is { } line ? Encoding.UTF8.GetString(line.Span) : null;
}
