using System.Globalization;
using System.Text.Json;
using AspireStreaming.TestSupport;

namespace AspireStreaming.AppHost.Tests;

/// <summary>Real recorded agent streams through the command line: published, followed, verified in the archive.</summary>
[Collection(SystemCollection.Name)]
public sealed class RecordingsTests(SystemFixture system)
{
    private static string Folder => Path.Combine(RepositoryPaths.Root, "..", "shared", "recordings");

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("anthropic-code-execution")]
    [InlineData("anthropic-web-search")]
    [InlineData("deepseek-text")]
    [InlineData("groq-reasoning")]
    [InlineData("openai-chat-text")]
    [InlineData("openai-code-interpreter")]
    [InlineData("openai-mcp-tool")]
    [InlineData("xai-reasoning")]
    public async Task Recording_arrives_completely_and_in_order(string name)
    {
        var file = Path.Combine(Folder, name + ".jsonl");
        Assert.SkipUnless(File.Exists(file), $"the recording {name}.jsonl is not beside the repository");
        var stream = $"{name}-{Guid.NewGuid():N}";
        var lines = (await File.ReadAllLinesAsync(file, Cancelled)).Where(line => !string.IsNullOrWhiteSpace(line)).ToArray();

        var tail = CommandLine.RunAsync(
            system, ["tail", stream, "--json", "--count", lines.Length.ToString(CultureInfo.InvariantCulture)], Cancelled);
        var publish = await CommandLine.RunAsync(system, ["publish", file, "--stream", stream], Cancelled);
        Assert.True(publish.ExitCode == 0, publish.Errors);
        var again = await CommandLine.RunAsync(system, ["publish", file, "--stream", stream], Cancelled);
        Assert.True(again.ExitCode == 0, again.Errors);

        var (tailExit, output, errors) = await tail;
        Assert.True(tailExit == 0, errors);
        var delivered = output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(lines.Length, delivered.Length);
        for (var index = 0; index < lines.Length; index++)
        {
            using var json = JsonDocument.Parse(delivered[index]);
            using var expected = JsonDocument.Parse(lines[index]);
            Assert.Equal(index + 1, json.RootElement.GetProperty("sequence").GetInt64());
            Assert.True(
                JsonElement.DeepEquals(expected.RootElement, json.RootElement.GetProperty("data")),
                $"line {index + 1} arrived as {json.RootElement.GetProperty("data").GetRawText()}");
        }

        foreach (var transport in (string[])["grpc", "ws"])
        {
            var other = await CommandLine.RunAsync(system, ["tail", stream, "--json", "--via", transport, "--count", $"{lines.Length}"], Cancelled);
            Assert.True(other.ExitCode == 0, other.Errors);
            Assert.Equal(delivered.Select(PositionAndData), other.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(PositionAndData));
        }

        var verify = await CommandLine.RunAsync(system, ["verify", stream, "--file", file], Cancelled);
        Assert.True(verify.ExitCode == 0, verify.Output + verify.Errors);
    }

    private static (string? Position, string Data) PositionAndData(string delivered)
    {
        using var json = JsonDocument.Parse(delivered);
        return (json.RootElement.GetProperty("position").GetString(), json.RootElement.GetProperty("data").GetRawText());
    }
}
