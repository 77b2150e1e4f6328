using AspireStreaming.Cli.Tests.Fakes;

namespace AspireStreaming.Cli.Tests.CommandLine;

public sealed class HelpTests
{
    [Fact]
    public async Task Help_lists_commands_examples_and_exit_codes()
    {
        var run = await CliRun.RunAsync(null, "--help");

        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        foreach (var part in new[] { "publish <FILE>", "tail <STREAM>", "verify <STREAM>", "Examples:", "aspirestream publish recording.jsonl", "Exit codes:", "130  interrupted" })
        {
            Assert.Contains(part, run.Output, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("publish", "--stream", "--type", "--type-from", "--events", "--rate", "--batch", "--retry-for", "--quiet", "--publisher", "ASPIRESTREAM_PUBLISHER", "--token", "--api-key")]
    [InlineData("tail", "--from", "--types", "--json", "--count", "--timeout", "--no-check", "--via", "--cursor", "--url", "ASPIRESTREAM_URL", "--grpc-url", "--token", "ASPIRESTREAMING_TOKEN", "--api-key")]
    [InlineData("verify", "--file", "--timeout", "--json", "--allow-trimmed", "--url", "ASPIRESTREAM_URL", "--token", "--api-key")]
    public async Task Help_of_a_command_lists_options_examples_and_exit_codes(string command, params string[] parts)
    {
        var run = await CliRun.RunAsync(null, command, "--help");

        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        Assert.DoesNotContain('\e', run.Output);
        foreach (var part in parts.Append("Examples:").Append($"  aspirestream {command} ").Append("Exit codes:"))
        {
            Assert.Contains(part, run.Output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task No_command_shows_help_and_exits_1()
    {
        var run = await CliRun.RunAsync(null);

        Assert.Equal(1, run.ExitCode);
        Assert.Contains("Examples:", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Unknown_command_exits_1()
    {
        var run = await CliRun.RunAsync(null, "publsh", "x");

        Assert.Equal(1, run.ExitCode);
        Assert.Contains("publsh", run.Error, StringComparison.Ordinal);
    }
}
