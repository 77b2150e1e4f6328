using System.Text;
using AspireStreaming.Cli.Tests.Fakes;

namespace AspireStreaming.Cli.Tests.CommandLine;

public sealed class CredentialsTests : IAsyncLifetime
{
    private FakeService _service = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _service = await FakeService.StartAsync();

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Theory]
    [InlineData("tail", "s")]
    [InlineData("publish", "-", "--stream", "s")]
    [InlineData("verify", "s")]
    [InlineData("audit", "s")]
    public async Task Options_are_sent_by_every_command(params string[] command)
    {
        Prepare();

        await CliRun.RunAsync(_service, Input(), Token, [.. command, "--token", "a.b.c", "--api-key", "k1"]);

        Assert.NotEmpty(_service.Callers);
        Assert.All(_service.Callers, static caller => Assert.Equal(("Bearer a.b.c", "k1"), caller));
    }

    [Fact]
    public async Task Variables_are_sent_and_options_win()
    {
        Prepare();
        var surroundings = Input() with { Variables = new() { ["ASPIRESTREAMING_TOKEN"] = "env", ["ASPIRESTREAMING_API_KEY"] = "key\n" } };

        await CliRun.RunAsync(_service, surroundings, Token, "tail", "s");
        await CliRun.RunAsync(_service, surroundings, Token, "tail", "s", "--token", "option");

        Assert.Equal([("Bearer env", "key"), ("Bearer option", "key")], _service.Callers);
    }

    [Fact]
    public async Task Without_any_nothing_is_sent()
    {
        Prepare();

        await CliRun.RunAsync(_service, "tail", "s");

        Assert.Equal((null, null), Assert.Single(_service.Callers));
    }

    [Fact]
    public async Task Token_that_no_header_can_carry_exits_1()
    {
        var run = await CliRun.RunAsync(_service, "tail", "s", "--token", "a b");

        Assert.Equal(1, run.ExitCode);
        Assert.Contains("--token", run.Error, StringComparison.Ordinal);
        Assert.Empty(_service.Callers);
    }

    [Theory]
    [InlineData("--via", "carrier-pigeon")]
    [InlineData("--cursor", "c")]
    [InlineData("--via", "grpc", "--cursor", "c")]
    public async Task Wrong_transport_exits_1(params string[] options) =>
        Assert.Equal(1, (await CliRun.RunAsync(_service, ["tail", "s", .. options])).ExitCode);

    private static CliSurroundings Input() => new() { Input = new MemoryStream(Encoding.UTF8.GetBytes("1\n")) };

    private void Prepare() => _service.Connections.Add(static sse =>
    {
        sse.NoContent();
        return Task.CompletedTask;
    });
}
