using Aspire.Hosting.Local;

namespace AspireStreaming.Hosting.Local.Tests.Output;

public sealed class ConsoleLogWriterTests
{
    [Fact]
    public void Write_aligns_names()
    {
        Assert.Equal(
            ["redis         | one", "publisher-api | two"],
            Lines(colours: false, writer =>
            {
                writer.Align(["redis", "publisher-api"]);
                writer.Write("redis", "one", isError: false);
                writer.Write("publisher-api", "two", isError: true);
            }));
    }

    [Fact]
    public void Write_gives_each_resource_one_colour_by_order()
    {
        var lines = Lines(colours: true, writer =>
        {
            writer.Write("a", "x", isError: false);
            writer.Write("b", "x", isError: false);
            writer.Write("a", "y", isError: false);
        });

        Assert.Equal(["\e[36ma\e[0m | x", "\e[32mb\e[0m | x", "\e[36ma\e[0m | y"], lines);
    }

    [Fact]
    public void Write_keeps_colours_of_the_child_and_ends_them()
    {
        Assert.Equal(["\e[36ma\e[0m | \e[1;31mred\e[0m"], Lines(colours: true, writer => writer.Write("a", "\e[1;31mred", isError: false)));
        Assert.Equal(["a | red"], Lines(colours: false, writer => writer.Write("a", "\e[1;31mred", isError: false)));
    }

    [Theory]
    [InlineData("a\e[2Jb", "ab")]
    [InlineData("a\e]0;title\ab", "ab")]
    [InlineData("a\e]8;;http://x\e\\b", "ab")]
    [InlineData("a\rb\bc\ad\0\u0085e\u009bf\u007fg", "abcdefg")]
    [InlineData("a\tb €", "a\tb €")]
    [InlineData("end\e", "end")]
    [InlineData("end\e[31", "end")]
    [InlineData("a\ecb", "ab")]
    public void Write_removes_what_would_move_the_terminal(string text, string expected) =>
        Assert.Equal([$"\e[36mr\e[0m | {expected}"], Lines(colours: true, writer => writer.Write("r", text, isError: false)));

    [Fact]
    public void Write_from_many_threads_keeps_lines_whole()
    {
        var lines = Lines(colours: false, writer => Parallel.For(0, 2000, i => writer.Write($"r{i % 4}", $"text {i}", isError: false)));

        Assert.Equal(2000, lines.Length);
        Assert.All(lines, line => Assert.Matches(@"^r\d \| text \d+$", line));
    }

    [Theory]
    [InlineData(false, null, null, true)]
    [InlineData(true, null, null, false)]
    [InlineData(true, "FORCE_COLOR", "1", true)]
    [InlineData(true, "FORCE_COLOR", "0", false)]
    [InlineData(true, "DOTNET_SYSTEM_CONSOLE_ALLOW_ANSI_COLOR_REDIRECTION", "true", true)]
    [InlineData(false, "NO_COLOR", "1", false)]
    public void UseColours_follows_the_terminal_and_the_variables(bool isRedirected, string? name, string? value, bool expected) =>
        Assert.Equal(expected, ConsoleLogWriter.UseColours(asked => asked == name ? value : null, isRedirected));

    private static string[] Lines(bool colours, Action<ConsoleLogWriter> write)
    {
        using var output = new StringWriter();
        write(new ConsoleLogWriter(output, colours));
        return output.ToString().TrimEnd('\n').Split('\n');
    }
}
