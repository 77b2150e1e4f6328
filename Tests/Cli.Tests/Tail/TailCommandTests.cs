using AspireStreaming.Cli.Tests.Fakes;
using AspireStreaming.TestSupport;

namespace AspireStreaming.Cli.Tests.Tail;

public sealed class TailCommandTests : IAsyncLifetime
{
    private FakeService _service = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _service = await FakeService.StartAsync();

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Fact]
    public async Task Tail_json_writes_the_events_as_received_and_ends_with_the_stream()
    {
        _service.Connections.Add(static async sse =>
        {
            await sse.StartAsync();
            await sse.EventAsync(1);
            await sse.ControlAsync("stream.caught-up", """{"stream":"s","position":"1-1"}""");
            await sse.EventAsync(2, "WORKFLOW_COMPLETED");
            await sse.ControlAsync("stream.end", """{"stream":"s","type":"WORKFLOW_COMPLETED"}""");
        });

        var run = await CliRun.RunAsync(_service, "tail", "s", "--json");

        Assert.Equal(0, run.ExitCode);
        Assert.Equal(
            [
                _service["s"].Delivered(FakeStream.At(1), "chunk", """{"n":1}"""),
                _service["s"].Delivered(FakeStream.At(2), "WORKFLOW_COMPLETED", """{"n":2}"""),
            ],
            run.Lines);
        Assert.Contains("stream.caught-up", run.Error, StringComparison.Ordinal);
        Assert.Contains("stream.end", run.Error, StringComparison.Ordinal);
        Assert.Equal((null, "?from=start"), Assert.Single(_service.Opened));
    }

    [Fact]
    public async Task Tail_resumes_where_it_was_after_the_connection_breaks_in_the_middle_of_an_event()
    {
        _service.Connections.Add(static async sse =>
        {
            await sse.StartAsync();
            await sse.EventAsync(1);
            await sse.EventAsync(2);
            await sse.WriteAsync($"id: {FakeStream.At(3)}\nevent: chunk\ndata: {{\"half");
            sse.Cut();
        });
        _service.Connections.Add(static async sse =>
        {
            await sse.StartAsync(sse.LastEventId);
            await sse.EventAsync(3);
            await sse.EventAsync(4);
        });
        _service.Connections.Add(static sse =>
        {
            sse.NoContent();
            return Task.CompletedTask;
        });

        var run = await CliRun.RunAsync(_service, "tail", "s", "--json", "--from", "now");

        Assert.Equal(0, run.ExitCode);
        Assert.Equal(4, run.Lines.Length);
        Assert.Equal([(null, "?from=now"), (FakeStream.At(2), ""), (FakeStream.At(4), "")], _service.Opened);
        Assert.Contains("reconnecting in", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tail_break_before_the_first_event_resumes_from_where_the_cursor_started()
    {
        _service.Connections.Add(static async sse =>
        {
            await sse.StartAsync(FakeStream.At(7));
            sse.Cut();
        });
        _service.Connections.Add(static async sse =>
        {
            await sse.StartAsync(sse.LastEventId);
            await sse.EventAsync(8);
            await sse.HoldAsync();
        });

        var run = await CliRun.RunAsync(_service, "tail", "s", "--from", "now", "--count", "1");

        Assert.Equal(0, run.ExitCode);
        Assert.Equal([(null, "?from=now"), (FakeStream.At(7), "")], _service.Opened);
    }

    [Fact]
    public async Task Tail_busy_service_is_tried_again()
    {
        _service.Connections.Add(static sse => sse.RefuseAsync(503));
        _service.Connections.Add(static async sse =>
        {
            await sse.StartAsync();
            await sse.EventAsync(1);
            await sse.HoldAsync();
        });

        var run = await CliRun.RunAsync(_service, "tail", "s", "--count", "1");

        Assert.Equal(0, run.ExitCode);
        Assert.Equal(2, _service.Opened.Count);
    }

    [Fact]
    public async Task Tail_drain_waits_as_long_as_it_was_asked_to()
    {
        _service.Connections.Add(static async sse =>
        {
            await sse.StartAsync(retry: 60_000);
            await sse.ControlAsync("stream.drain", """{"stream":"s","retryMs":5,"reason":"shutdown"}""");
        });
        _service.Connections.Add(static sse =>
        {
            sse.NoContent();
            return Task.CompletedTask;
        });

        Assert.Equal(0, (await CliRun.RunAsync(_service, "tail", "s")).ExitCode);
    }

    [Theory]
    [InlineData("3", "1 event is missing")]
    [InlineData("1", "was delivered twice")]
    public async Task Tail_hole_or_repetition_exits_4(string second, string explanation)
    {
        _service.Connections.Add(async sse =>
        {
            await sse.StartAsync();
            await sse.EventAsync(1);
            await sse.EventAsync(long.Parse(second, provider: null));
            await sse.HoldAsync();
        });

        var run = await CliRun.RunAsync(_service, "tail", "s", "--json");

        Assert.Equal(4, run.ExitCode);
        Assert.Single(run.Lines);
        Assert.Contains(explanation, run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tail_no_check_goes_on()
    {
        _service.Connections.Add(static async sse =>
        {
            await sse.StartAsync();
            await sse.EventAsync(1);
            await sse.EventAsync(5);
            await sse.EventAsync(5);
            await sse.HoldAsync();
        });

        var run = await CliRun.RunAsync(_service, "tail", "s", "--json", "--no-check", "--count", "3");

        Assert.Equal(0, run.ExitCode);
        Assert.Equal(3, run.Lines.Length);
    }

    [Fact]
    public async Task Tail_announced_gap_is_shown_and_goes_on()
    {
        _service.Connections.Add(static async sse =>
        {
            await sse.StartAsync();
            await sse.EventAsync(1);
            await sse.ControlAsync("stream.gap", $$"""{"stream":"s","from":"{{FakeStream.At(1)}}","to":"{{FakeStream.At(4)}}","missed":3,"reason":"dead"}""");
            await sse.EventAsync(5);
            await sse.HoldAsync();
        });

        var run = await CliRun.RunAsync(_service, "tail", "s", "--json", "-n", "2");

        Assert.Equal(0, run.ExitCode);
        Assert.Contains("stream.gap", run.Error, StringComparison.Ordinal);
        Assert.Equal(2, run.Lines.Length);
    }

    [Fact]
    public async Task Tail_types_are_passed_on_and_holes_are_normal()
    {
        _service.Connections.Add(static async sse =>
        {
            await sse.StartAsync();
            await sse.EventAsync(3, "A");
            sse.Cut();
        });
        _service.Connections.Add(static async sse =>
        {
            await sse.StartAsync(sse.LastEventId);
            await sse.EventAsync(9, "B");
            await sse.HoldAsync();
        });

        var run = await CliRun.RunAsync(_service, "tail", "s", "--types", "A,B", "--count", "2");

        Assert.Equal(0, run.ExitCode);
        Assert.Equal([(null, "?from=start&types=A%2CB"), (FakeStream.At(3), "?types=A%2CB")], _service.Opened);
    }

    [Fact]
    public async Task Tail_readable_line_has_position_time_type_and_data_without_ansi()
    {
        var evil = _service["s"].Delivered(FakeStream.At(1), "chunk", "{\"t\":\"" + new string('x', 500) + "\"}").Replace("xxxx", "\u009b31m", StringComparison.Ordinal);
        _service.Connections.Add(async sse =>
        {
            await sse.StartAsync();
            await sse.WriteAsync($"id: {FakeStream.At(1)}\nevent: chunk\ndata: {evil}\n\n");
            await sse.HoldAsync();
        });

        var run = await CliRun.RunAsync(_service, "tail", "s", "--count", "1");

        var line = Assert.Single(run.Lines);
        Assert.StartsWith($"{FakeStream.At(1)}  2025-11-20T13:40:00.001Z  chunk  {{\"t\":\"", line, StringComparison.Ordinal);
        Assert.EndsWith("…", line, StringComparison.Ordinal);
        Assert.DoesNotContain('\u009b', line);
        Assert.DoesNotContain('\e', run.Output + run.Error);
    }

    [Theory]
    [InlineData("", true)]
    [InlineData("1", false)]
    public async Task Tail_on_a_terminal_is_coloured_unless_NO_COLOR(string noColor, bool coloured)
    {
        _service.Connections.Add(static async sse =>
        {
            await sse.StartAsync();
            await sse.EventAsync(1);
            await sse.ControlAsync("stream.end", "{}");
        });
        var surroundings = new CliSurroundings { OutputIsTerminal = true, ErrorIsTerminal = true, Variables = { ["NO_COLOR"] = noColor } };

        var run = await CliRun.RunAsync(_service, surroundings, Token, "tail", "s");

        Assert.Equal(coloured, run.Output.Contains('\e', StringComparison.Ordinal));
        Assert.Equal(coloured, run.Error.Contains('\e', StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(1, "--count", "5")]
    [InlineData(0)]
    public async Task Tail_timeout_ends_it(int exitCode, params string[] options)
    {
        _service.Connections.Add(static async sse =>
        {
            await sse.StartAsync();
            await sse.EventAsync(1);
            await sse.HoldAsync();
        });

        var run = await CliRun.RunAsync(_service, ["tail", "s", "--json", "--timeout", "500ms", .. options]);

        Assert.Equal(exitCode, run.ExitCode);
        Assert.Single(run.Lines);
    }

    [Fact]
    public async Task Tail_interrupted_exits_130_with_everything_written()
    {
        using var interruption = new CancellationTokenSource();
        _service.Connections.Add(static async sse =>
        {
            await sse.StartAsync();
            await sse.EventAsync(1);
            await sse.HoldAsync();
        });
        using var output = new MemoryStream();
        var running = CliRun.RunAsync(_service, new CliSurroundings { Output = output }, interruption.Token, "tail", "s", "--json");
        await Eventually.TrueAsync(() => output.Length > 0, TimeSpan.FromSeconds(5), "the event is written", Token);

        await interruption.CancelAsync();

        Assert.Equal(130, (await running).ExitCode);
    }

    [Fact]
    public async Task Tail_reader_that_leaves_ends_it()
    {
        _service.Connections.Add(static async sse =>
        {
            await sse.StartAsync();
            await sse.EventAsync(1);
            await sse.HoldAsync();
        });

        var run = await CliRun.RunAsync(_service, new CliSurroundings { Output = new ClosedStream() }, Token, "tail", "s", "--json");

        Assert.Equal((0, ""), (run.ExitCode, run.Error));
    }

    [Theory]
    [InlineData(400, 2)]
    [InlineData(401, 1)]
    [InlineData(404, 5)]
    [InlineData(500, 1)]
    public async Task Tail_refusal_is_an_exit_code(int status, int exitCode)
    {
        _service.ReadStatus = status;

        Assert.Equal(exitCode, (await CliRun.RunAsync(_service, "tail", "s", "--from", "nonsense")).ExitCode);
    }

    [Fact]
    public async Task Tail_nobody_listens_exits_3()
    {
        var run = await CliRun.RunAsync(null, "tail", "s", "--url", "http://127.0.0.1:1", "--retry-for", "0");

        Assert.Equal(3, run.ExitCode);
        Assert.Contains("no connection to http://127.0.0.1:1/", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("tail")]
    [InlineData("tail", "a b")]
    [InlineData("tail", "..")]
    [InlineData("tail", "s", "--count", "0")]
    [InlineData("tail", "s", "--timeout", "x")]
    [InlineData("tail", "s", "--unknown")]
    public async Task Tail_wrong_use_exits_1(params string[] args) => Assert.Equal(1, (await CliRun.RunAsync(_service, args)).ExitCode);
}
