using System.Text;
using Aspire.Hosting.Local;

namespace AspireStreaming.Hosting.Local.Tests.Processes;

public sealed class LineSplitterTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(1000)]
    public void Advance_any_cut_gives_the_same_lines(int step)
    {
        Assert.Equal(["one", "", "zwölf €", "tail"], Split("one\n\r\nzwölf €\r\ntail", step));
    }

    [Theory]
    [InlineData("a")]
    [InlineData("é")]
    [InlineData("a€")]
    [InlineData("ab😀")]
    public void Advance_long_line_comes_in_bounded_pieces_without_cut_characters(string text)
    {
        var line = string.Concat(Enumerable.Repeat(text, 60_000));

        var pieces = Split($"{line}\nnext\n", 40_000);

        Assert.Equal("next", pieces[^1]);
        Assert.Equal(line, string.Concat(pieces[..^1]));
        Assert.All(pieces, piece => Assert.InRange(Encoding.UTF8.GetByteCount(piece), 1, LineSplitter.MaxLineBytes));
    }

    private static List<string> Split(string text, int step)
    {
        var lines = new List<string>();
        var splitter = new LineSplitter(lines.Add);
        ReadOnlyMemory<byte> rest = Encoding.UTF8.GetBytes(text);
        while (rest.Length > 0)
        {
            var count = Math.Min(Math.Min(step, rest.Length), splitter.Free.Length);
            rest[..count].CopyTo(splitter.Free);
            splitter.Advance(count);
            rest = rest[count..];
        }

        splitter.Complete();
        return lines;
    }
}
