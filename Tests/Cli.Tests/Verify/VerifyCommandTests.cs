using System.Text.Json;
using AspireStreaming.Cli.Tests.Fakes;

namespace AspireStreaming.Cli.Tests.Verify;

public sealed class VerifyCommandTests : IAsyncLifetime, IDisposable
{
    private readonly TempFolder _folder = new();
    private FakeService _service = null!;

    public async ValueTask InitializeAsync() => _service = await FakeService.StartAsync();

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Verify_whole_stream_over_many_pages_is_well()
    {
        _service["s"].Fill(2500);
        _service["s"].Log.RemoveRange(0, 1234);

        var run = await CliRun.RunAsync(_service, "verify", "s");

        Assert.Equal(0, run.ExitCode);
        Assert.Contains("All well: 2,500 events.", run.Output, StringComparison.Ordinal);
        Assert.DoesNotContain('\e', run.Output);
    }

    [Fact]
    public async Task Verify_waits_until_the_archive_has_caught_up()
    {
        var stream = _service["s"];
        stream.Fill(5);
        stream.ArchivedTo = FakeStream.At(2);
        var asked = 0;
        _service.BeforeDescribe = found => found.ArchivedTo = ++asked < 4 ? found.ArchivedTo : found.Last;

        var run = await CliRun.RunAsync(_service, "verify", "s");

        Assert.Equal(0, run.ExitCode);
        Assert.Equal(4, asked);
    }

    [Fact]
    public async Task Verify_archive_that_stays_behind_exits_4()
    {
        var stream = _service["s"];
        stream.Fill(5);
        stream.Archive.RemoveRange(3, 2);
        stream.ArchivedTo = FakeStream.At(3);

        var (exitCode, report) = await VerifyAsync("--timeout", "100ms");

        Assert.Equal(4, exitCode);
        Assert.Equal(1, report.GetProperty("issueCounts").GetProperty("archive-behind").GetInt32());
    }

    [Fact]
    public async Task Verify_events_that_come_while_it_reads_are_not_its_concern()
    {
        var stream = _service["s"];
        stream.Fill(3);
        _service.BeforeDescribe = found =>
        {
            _service.BeforeDescribe = null;
            found.Combined.Add(new FakeEvent(FakeStream.At(4), "chunk", "4", found.Delivered(FakeStream.At(4), "chunk", "4")));
        };

        Assert.Equal(0, (await VerifyAsync()).ExitCode);
    }

    [Theory]
    [InlineData("archive", "missing", "hole")]
    [InlineData("combined", "missing", "hole")]
    [InlineData("log", "hole")]
    public async Task Verify_hole_in_one_tier_exits_4(string tier, params string[] kinds)
    {
        _service["s"].Fill(10);
        Tier(tier).RemoveAt(4);

        var (exitCode, report) = await VerifyAsync();

        Assert.Equal(4, exitCode);
        Assert.Equal(kinds, report.GetProperty("issueCounts").EnumerateObject().Select(static item => item.Name));
        Assert.Equal(1, report.GetProperty(tier).GetProperty("holes").GetInt32());
        Assert.All(
            report.GetProperty("issues").EnumerateArray(),
            issue => Assert.Equal(tier, issue.GetProperty("where").GetString()));
    }

    [Fact]
    public async Task Verify_hole_everywhere_says_whether_it_was_announced()
    {
        var stream = _service["s"];
        stream.Fill(10);
        foreach (var tier in new[] { stream.Archive, stream.Log, stream.Combined })
        {
            tier.RemoveAll(static item => item.Position == FakeStream.At(3) || item.Position == FakeStream.At(7) || item.Position == FakeStream.At(8));
        }

        stream.Gaps[FakeStream.At(4)] = $$"""{"from":"{{FakeStream.At(2)}}","to":"{{FakeStream.At(3)}}","missed":1,"reason":"dead"}""";

        var (exitCode, report) = await VerifyAsync();

        Assert.Equal(4, exitCode);
        var issues = report.GetProperty("issues").EnumerateArray().Where(static issue => issue.GetProperty("where").GetString() == "combined").ToArray();
        Assert.Equal($"{FakeStream.At(2)}..{FakeStream.At(3)}", issues[0].GetProperty("position").GetString());
        Assert.Equal("1 missing, announced as a gap (dead)", issues[0].GetProperty("detail").GetString());
        Assert.Equal($"{FakeStream.At(6)}..{FakeStream.At(8)}", issues[1].GetProperty("position").GetString());
        Assert.Equal("2 missing, not announced", issues[1].GetProperty("detail").GetString());
        Assert.Equal("dead", report.GetProperty("gaps")[0].GetProperty("reason").GetString());
    }

    [Theory]
    [InlineData("archive")]
    [InlineData("log")]
    [InlineData("combined")]
    public async Task Verify_repeated_event_exits_4(string tier)
    {
        _service["s"].Fill(10);
        Tier(tier).Insert(5, Tier(tier)[4]);

        var (exitCode, report) = await VerifyAsync();

        Assert.Equal(4, exitCode);
        Assert.Equal(["duplicate"], report.GetProperty("issueCounts").EnumerateObject().Select(static item => item.Name));
        Assert.Equal(1, report.GetProperty(tier).GetProperty("duplicates").GetInt32());
    }

    [Theory]
    [InlineData("archive")]
    [InlineData("log")]
    [InlineData("combined")]
    public async Task Verify_swapped_events_exit_4(string tier)
    {
        _service["s"].Fill(10);
        (Tier(tier)[4], Tier(tier)[5]) = (Tier(tier)[5], Tier(tier)[4]);

        var (exitCode, report) = await VerifyAsync();

        Assert.Equal(4, exitCode);
        Assert.Equal(["disorder"], report.GetProperty("issueCounts").EnumerateObject().Select(static item => item.Name));
        Assert.Equal(0, report.GetProperty(tier).GetProperty("holes").GetInt32());
    }

    [Theory]
    [InlineData("archive", "archive")]
    [InlineData("log", "log")]
    [InlineData("combined", "combined")]
    public async Task Verify_altered_event_exits_4(string tier, string named)
    {
        _service["s"].Fill(10);
        Tier(tier)[4] = Tier(tier)[4] with { Json = Tier(tier)[4].Json.Replace("{\"n\":5}", "{\"n\":5.0}", StringComparison.Ordinal) };

        var (exitCode, report) = await VerifyAsync();

        Assert.Equal(4, exitCode);
        Assert.Contains(
            report.GetProperty("issues").EnumerateArray(),
            issue => issue.GetProperty("kind").GetString() == "mismatch" && issue.ToString().Contains(named, StringComparison.Ordinal)
                && issue.GetProperty("position").GetString() == FakeStream.At(5));
    }

    [Fact]
    public async Task Verify_same_event_at_two_positions_exits_4()
    {
        _service["s"].Append("chunk", "1", id: "same");
        _service["s"].Append("chunk", "1", id: "same");

        var (exitCode, report) = await VerifyAsync();

        Assert.Equal(4, exitCode);
        Assert.Contains("the event same of /test occurs more than once", report.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, "..")]
    [InlineData(9, "cannot be read")]
    public async Task Verify_missing_end_exits_4(int index, string explanation)
    {
        var stream = _service["s"];
        stream.Fill(10);
        stream.Archive.RemoveAt(index);
        stream.Log.RemoveAt(index);
        stream.Combined.RemoveAt(index);

        var (exitCode, report) = await VerifyAsync();

        Assert.Equal(4, exitCode);
        Assert.Contains(explanation, report.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Verify_beginning_that_retention_dropped_is_well_only_when_allowed()
    {
        var stream = _service["s"];
        stream.Fill(10);
        stream.Archive.RemoveRange(0, 3);
        stream.Log.RemoveRange(0, 3);
        stream.Combined.RemoveRange(0, 3);
        stream.First = FakeStream.At(4);

        Assert.Equal(4, (await VerifyAsync()).ExitCode);
        Assert.Equal(0, (await VerifyAsync("--allow-trimmed")).ExitCode);
    }

    [Fact]
    public async Task Verify_new_epoch_that_goes_on_counting_is_well()
    {
        var stream = _service["s"];
        stream.Fill(3);
        stream.Append("chunk", "4", position: FakeStream.At(4, FakeStream.Epoch + 5));

        var (exitCode, report) = await VerifyAsync();

        Assert.Equal(0, exitCode);
        Assert.Equal(2, report.GetProperty("combined").GetProperty("epochs").GetInt32());
    }

    [Fact]
    public async Task Verify_file_that_was_published_is_well()
    {
        var file = _folder.Write("f.jsonl", "{\"n\": 1, \"big\":123456789012345678901}\n\n[ 2 ]\n");
        await CliRun.RunAsync(_service, "publish", file, "--stream", "s");

        var (exitCode, report) = await VerifyAsync("--file", file);

        Assert.Equal(0, exitCode);
        Assert.Equal(2, report.GetProperty("file").GetProperty("lines").GetInt32());
    }

    [Theory]
    [InlineData("{\"n\":1}\n{\"n\":2}\n{\"n\":3.0}\n", "differs from line 3")]
    [InlineData("{\"n\":1}\n{\"n\":2}\n", "the event has no line")]
    [InlineData("{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n{\"n\":4}\n", "the line has no event")]
    public async Task Verify_file_that_differs_exits_4(string content, string explanation)
    {
        _service["s"].Fill(3);

        var (exitCode, report) = await VerifyAsync("--file", _folder.Write("f.jsonl", content));

        Assert.Equal(4, exitCode);
        Assert.Equal(["file"], report.GetProperty("issueCounts").EnumerateObject().Select(static item => item.Name));
        Assert.Contains(explanation, report.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{\"n\":1}\n{\"lost\":1}\n{\"lost\":2}\n{\"n\":2}\n{\"n\":3}\n", "lines 2 to 3 have no event before this one")]
    [InlineData("{\"n\":1}\n{\"n\":3}\n", "the event's data differs from line 2")]
    [InlineData("{\"n\":1}\n{\"n\":\"2\"}\n{\"n\":3}\n", "the event's data differs from line 2")]
    public async Task Verify_file_that_differs_once_is_reported_once(string content, string explanation)
    {
        _service["s"].Fill(3);

        var (exitCode, report) = await VerifyAsync("--file", _folder.Write("f.jsonl", content));

        Assert.Equal(4, exitCode);
        Assert.Equal(explanation, Assert.Single(report.GetProperty("issues").EnumerateArray()).GetProperty("detail").GetString());
    }

    [Fact]
    public async Task Verify_failure_is_told_to_people_too()
    {
        _service["s"].Fill(100);
        _service["s"].Combined.RemoveRange(50, 40);

        var run = await CliRun.RunAsync(_service, "verify", "s");

        Assert.Equal(4, run.ExitCode);
        Assert.Contains("readers", run.Output, StringComparison.Ordinal);
        Assert.Contains("missing: 20 more", run.Output, StringComparison.Ordinal);
        Assert.Contains("Verification failed: 40 missing, 1 hole.", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Verify_quiet_is_only_an_exit_code()
    {
        _service["s"].Fill(3);
        _service["s"].Archive.RemoveAt(1);

        var run = await CliRun.RunAsync(_service, "verify", "s", "--quiet");

        Assert.Equal((4, "", ""), (run.ExitCode, run.Output, run.Error));
    }

    [Fact]
    public async Task Verify_unknown_stream_exits_5()
    {
        var run = await CliRun.RunAsync(_service, "verify", "nothing");

        Assert.Equal(5, run.ExitCode);
        Assert.Contains("stream 'nothing' is unknown", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Verify_service_that_stays_away_exits_3()
    {
        _service.ReadStatus = 503;

        Assert.Equal(3, (await CliRun.RunAsync(_service, "verify", "s", "--retry-for", "200ms")).ExitCode);
    }

    [Fact]
    public async Task Verify_file_that_cannot_be_read_exits_2()
    {
        _service["s"].Fill(1);

        Assert.Equal(2, (await CliRun.RunAsync(_service, "verify", "s", "--file", "/does/not/exist")).ExitCode);
    }

    private List<FakeEvent> Tier(string name) => name switch
    {
        "archive" => _service["s"].Archive,
        "log" => _service["s"].Log,
        _ => _service["s"].Combined,
    };

    private async Task<(int ExitCode, JsonElement Report)> VerifyAsync(params string[] options)
    {
        var run = await CliRun.RunAsync(_service, ["verify", "s", "--json", .. options]);
        using var document = JsonDocument.Parse(run.OutputBytes);
        var report = document.RootElement.Clone();
        Assert.Equal(run.ExitCode == 0, report.GetProperty("ok").GetBoolean());
        return (run.ExitCode, report);
    }
}
