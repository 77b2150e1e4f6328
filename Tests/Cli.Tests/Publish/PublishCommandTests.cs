using System.Diagnostics;
using System.IO.Pipelines;
using System.Text;
using AspireStreaming.Cli.Tests.Fakes;
using AspireStreaming.TestSupport;
using Microsoft.AspNetCore.Http;

namespace AspireStreaming.Cli.Tests.Publish;

public sealed class PublishCommandTests : IAsyncLifetime, IDisposable
{
    private readonly TempFolder _folder = new();
    private FakeService _service = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _service = await FakeService.StartAsync();

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Publish_appends_every_line_in_order_as_written()
    {
        var lines = Enumerable.Range(1, 250).Select(static number => $$"""{"n":{{number}},"big":123456789012345678901,"s":"\u00e9"}""").ToArray();
        var file = _folder.Write("my run.jsonl", string.Join("\r\n", lines) + "\r\n\r\n");

        var run = await CliRun.RunAsync(_service, "publish", file);

        Assert.Equal(0, run.ExitCode);
        Assert.Equal(lines, _service["my-run"].Combined.Select(static item => item.Data));
        Assert.Equal([100, 100, 50], _service.Batches);
        Assert.Contains("my-run: acknowledged 250, of which 0 were already there", run.Output, StringComparison.Ordinal);
        Assert.Contains($"positions {FakeStream.At(1)} to {FakeStream.At(250)}", run.Output, StringComparison.Ordinal);
        Assert.Equal("", run.Error);
    }

    [Fact]
    public async Task Publish_interrupted_and_repeated_appends_only_what_is_missing()
    {
        var file = WriteLines("r.jsonl", 100);
        using var interruption = new CancellationTokenSource();
        _service.BeforePublish = async (context, number) =>
        {
            if (number < 4)
            {
                return false;
            }

            await interruption.CancelAsync();
            context.Abort();
            return true;
        };

        var first = await CliRun.RunAsync(_service, new CliSurroundings(), interruption.Token, "publish", file, "--batch", "10");
        _service.BeforePublish = null;
        var second = await CliRun.RunAsync(_service, "publish", file, "--batch", "30");

        Assert.Equal(130, first.ExitCode);
        Assert.Contains("Acknowledged 30, of which 0 were already there, up to r.jsonl:30", first.Error, StringComparison.Ordinal);
        Assert.Equal(0, second.ExitCode);
        Assert.Contains("acknowledged 100, of which 30 were already there", second.Output, StringComparison.Ordinal);
        Assert.Equal(Enumerable.Range(1, 100).Select(static number => $$"""{"n":{{number}}}"""), _service["r"].Combined.Select(static item => item.Data));
    }

    [Fact]
    public async Task Publish_lost_answer_is_repeated_without_doubling()
    {
        var file = WriteLines("r.jsonl", 30);
        _service.LoseAnswer = static number => number == 2;

        var run = await CliRun.RunAsync(_service, "publish", file, "--batch", "10");

        Assert.Equal(0, run.ExitCode);
        Assert.Equal(30, _service["r"].Combined.Count);
        Assert.Contains("of which 10 were already there", run.Output, StringComparison.Ordinal);
        Assert.Contains("next try in", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Publish_busy_service_is_tried_again_after_the_time_it_asks_for()
    {
        var file = WriteLines("r.jsonl", 5);
        _service.BeforePublish = static (context, number) =>
        {
            if (number > 2)
            {
                return Task.FromResult(false);
            }

            context.Response.StatusCode = number == 1 ? 503 : 429;
            context.Response.Headers.RetryAfter = number == 1 ? "1" : "0";
            return Task.FromResult(true);
        };

        var watch = Stopwatch.StartNew();
        var run = await CliRun.RunAsync(_service, "publish", file);

        Assert.Equal(0, run.ExitCode);
        Assert.True(watch.Elapsed >= TimeSpan.FromSeconds(1), $"It waited {watch.Elapsed}.");
        Assert.Equal(3, _service.Published.Count);
        Assert.Equal(5, _service["r"].Combined.Count);
    }

    [Fact]
    public async Task Publish_service_that_stays_away_exits_3_and_says_how_far_it_got()
    {
        var file = WriteLines("r.jsonl", 30);
        _service.BeforePublish = static (context, number) =>
        {
            context.Response.StatusCode = 503;
            return Task.FromResult(number > 1);
        };

        var run = await CliRun.RunAsync(_service, "publish", file, "--batch", "10", "--retry-for", "300ms");

        Assert.Equal(3, run.ExitCode);
        Assert.Contains("Acknowledged 10,", run.Error, StringComparison.Ordinal);
        Assert.Contains("up to r.jsonl:10", run.Error, StringComparison.Ordinal);
        Assert.Contains("gave up after 0.3 s", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Publish_nobody_listens_exits_3()
    {
        var run = await CliRun.RunAsync(null, "publish", WriteLines("r.jsonl", 1), "--publisher", "http://127.0.0.1:1", "--retry-for", "100ms");

        Assert.Equal(3, run.ExitCode);
        Assert.Contains("error: ", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Publish_line_that_is_not_json_exits_2_and_sends_nothing_of_its_batch()
    {
        var file = _folder.Write("bad.jsonl", "1\n2\n3\n4\n5\noops\n7\n");

        var run = await CliRun.RunAsync(_service, "publish", file, "--batch", "2");

        Assert.Equal(2, run.ExitCode);
        Assert.Contains("bad.jsonl:6: not JSON", run.Error, StringComparison.Ordinal);
        Assert.Equal(["1", "2", "3", "4"], _service["bad"].Combined.Select(static item => item.Data));
    }

    [Fact]
    public async Task Publish_line_above_1_MiB_exits_2_and_one_of_1_MiB_passes()
    {
        var longest = "\"" + new string('x', (1024 * 1024) - 2) + "\"";
        var file = _folder.Write("long.jsonl", string.Join('\n', longest, longest, longest, longest, "1", longest[..^1] + "y\""));

        var run = await CliRun.RunAsync(_service, "publish", file);

        Assert.Equal(2, run.ExitCode);
        Assert.Contains("long.jsonl:6: the line is longer than 1,048,576 bytes", run.Error, StringComparison.Ordinal);
        Assert.All(_service.Published, static body => Assert.InRange(body.Length, 1, 4 * 1024 * 1024));
        Assert.Equal(longest, _service["long"].Combined[0].Data);
    }

    [Fact]
    public async Task Publish_terminal_event_ends_its_batch_and_what_follows_is_refused()
    {
        var file = _folder.Write("w.jsonl", """
            {"type":"a"}
            {"type":"WORKFLOW_COMPLETED"}
            {"type":"b"}
            {"type":"c"}
            """);

        var run = await CliRun.RunAsync(_service, "publish", file);

        Assert.Equal(2, run.ExitCode);
        Assert.Equal([2], _service.Batches);
        Assert.Contains("stream 'w' has ended, so lines 3 to 4 of w.jsonl cannot be appended", run.Error, StringComparison.Ordinal);
        Assert.Contains("ended by WORKFLOW_COMPLETED", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Publish_completed_workflow_again_is_all_duplicates()
    {
        var file = _folder.Write("w.jsonl", "{\"type\":\"a\"}\n{\"type\":\"WORKFLOW_COMPLETED\"}\n");

        await CliRun.RunAsync(_service, "publish", file);
        var run = await CliRun.RunAsync(_service, "publish", file);

        Assert.Equal(0, run.ExitCode);
        Assert.Contains("acknowledged 2, of which 2 were already there", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Publish_event_that_the_service_refuses_is_named_by_its_line()
    {
        var file = _folder.Write("r.jsonl", "{\"type\":\"a\"}\n\n\n{\"type\":\"REFUSED\"}\n");

        var run = await CliRun.RunAsync(_service, "publish", file);

        Assert.Equal(2, run.ExitCode);
        Assert.Contains("r.jsonl:4: the service refuses the event: Invalid event: this type is refused", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Publish_whole_events_keeps_ids_and_republishes_what_tail_wrote()
    {
        _service["a"].Fill(3);
        var file = _folder.Write("copy.jsonl", string.Join('\n', _service["a"].Combined.Select(static item => item.Json)));

        var run = await CliRun.RunAsync(_service, "publish", file, "--events", "--stream", "b");

        Assert.Equal(0, run.ExitCode);
        Assert.Equal(_service["a"].Combined.Select(static item => item.Data), _service["b"].Combined.Select(static item => item.Data));
        Assert.Equal(_service["a"].Combined.Select(static item => "/test\n" + item.Position), _service["b"].Positions.Keys);
    }

    [Fact]
    public async Task Publish_from_a_pipe_that_pauses_sends_what_is_there()
    {
        var pipe = new Pipe();
        var running = CliRun.RunAsync(
            _service, new CliSurroundings { Input = pipe.Reader.AsStream() }, Token, "publish", "-", "--stream", "live");

        await pipe.Writer.WriteAsync("1\n2\n"u8.ToArray(), Token);
        await Eventually.TrueAsync(() => _service["live"].Combined.Count == 2, TimeSpan.FromSeconds(5), "two events are there", Token);
        await pipe.Writer.WriteAsync("3"u8.ToArray(), Token);
        await pipe.Writer.CompleteAsync();
        var run = await running;

        Assert.Equal(0, run.ExitCode);
        Assert.Equal(["1", "2", "3"], _service["live"].Combined.Select(static item => item.Data));
        Assert.All(_service["live"].Positions.Keys, static key => Assert.StartsWith("/aspirestream/stdin\n", key, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Publish_waiting_for_a_pipe_can_be_interrupted()
    {
        var pipe = new Pipe();
        using var interruption = new CancellationTokenSource();
        var running = CliRun.RunAsync(
            _service, new CliSurroundings { Input = new UncancellableStream(pipe.Reader.AsStream()) }, interruption.Token, "publish", "-", "--stream", "live");
        await pipe.Writer.WriteAsync("1\n"u8.ToArray(), Token);
        await Eventually.TrueAsync(() => _service["live"].Combined.Count == 1, TimeSpan.FromSeconds(5), "the event is there", Token);

        await interruption.CancelAsync();

        Assert.Equal(130, (await running).ExitCode);
    }

    [Fact]
    public async Task Publish_rate_is_kept_in_small_batches()
    {
        var watch = Stopwatch.StartNew();

        var run = await CliRun.RunAsync(_service, "publish", WriteLines("r.jsonl", 30), "--rate", "50");

        Assert.Equal(0, run.ExitCode);
        Assert.InRange(watch.Elapsed, TimeSpan.FromSeconds(0.45), TimeSpan.FromSeconds(10));
        Assert.Equal([5, 5, 5, 5, 5, 5], _service.Batches);
    }

    [Fact]
    public async Task Publish_quiet_says_nothing()
    {
        var run = await CliRun.RunAsync(_service, "publish", WriteLines("r.jsonl", 3), "--quiet");

        Assert.Equal((0, "", ""), (run.ExitCode, run.Output, run.Error));
    }

    [Fact]
    public async Task Publish_on_a_terminal_draws_a_bar()
    {
        var run = await CliRun.RunAsync(
            _service, new CliSurroundings { ErrorIsTerminal = true }, Token, "publish", WriteLines("r.jsonl", 250));

        Assert.Equal(0, run.ExitCode);
        Assert.Contains("100%", run.Error, StringComparison.Ordinal);
        Assert.Contains("250 acknowledged", run.Error, StringComparison.Ordinal);
        Assert.Matches("\e\\[[0-9;]*[39][0-7]", run.Error);
        Assert.DoesNotContain('\e', run.Output);
    }

    [Fact]
    public async Task Publish_on_a_terminal_with_NO_COLOR_draws_without_colours()
    {
        var surroundings = new CliSurroundings { ErrorIsTerminal = true, Variables = { ["NO_COLOR"] = "1" } };

        var run = await CliRun.RunAsync(_service, surroundings, Token, "publish", WriteLines("r.jsonl", 250));

        Assert.Contains("100%", run.Error, StringComparison.Ordinal);
        Assert.DoesNotMatch("\e\\[[0-9;]*[39][0-7]", run.Error);
    }

    [Fact]
    public async Task Publish_empty_file_is_well()
    {
        var run = await CliRun.RunAsync(_service, "publish", _folder.Write("none.jsonl", "\n  \n"));

        Assert.Equal(0, run.ExitCode);
        Assert.Contains("holds no events", run.Output, StringComparison.Ordinal);
        Assert.Empty(_service.Published);
    }

    [Theory]
    [InlineData(2, "cannot read", "publish", "/does/not/exist.jsonl")]
    [InlineData(2, "cannot read", "publish", "/tmp")]
    [InlineData(1, "--stream NAME", "publish", "-")]
    [InlineData(1, "--stream NAME", "publish", "/tmp/..")]
    [InlineData(1, "FILE", "publish")]
    [InlineData(1, "cannot name a stream", "publish", "x", "--stream", "a/b")]
    [InlineData(1, "--batch", "publish", "x", "--batch", "1001")]
    [InlineData(1, "--batch", "publish", "x", "--batch", "0")]
    [InlineData(1, "--rate", "publish", "x", "--rate", "-1")]
    [InlineData(1, "cannot be a type", "publish", "x", "--type", "stream.gap")]
    [InlineData(1, "exclude each other", "publish", "x", "--type", "a", "--events")]
    [InlineData(1, "not a duration", "publish", "x", "--retry-for", "soon")]
    [InlineData(1, "http or https", "publish", "x", "--publisher", "ftp://x")]
    public async Task Publish_wrong_use_is_explained(int exitCode, string explanation, params string[] args)
    {
        var run = await CliRun.RunAsync(_service, args);

        Assert.Equal(exitCode, run.ExitCode);
        Assert.Contains(explanation, run.Error, StringComparison.Ordinal);
        Assert.Equal("", run.Output);
        Assert.Empty(_service.Published);
    }

    [Fact]
    public async Task Publish_unauthorised_exits_1()
    {
        _service.BeforePublish = static (context, _) =>
        {
            context.Response.StatusCode = StatusCodes.Status401Unauthorized;
            return Task.FromResult(true);
        };

        var run = await CliRun.RunAsync(_service, "publish", WriteLines("r.jsonl", 1));

        Assert.Equal(1, run.ExitCode);
        Assert.Contains("401", run.Error, StringComparison.Ordinal);
    }

    private string WriteLines(string name, int count)
    {
        var text = new StringBuilder();
        for (var number = 1; number <= count; number++)
        {
            text.Append("{\"n\":").Append(number).Append("}\n");
        }

        return _folder.Write(name, text.ToString());
    }
}
