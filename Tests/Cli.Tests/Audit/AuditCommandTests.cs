using System.Text.Json;
using AspireStreaming.Cli.Tests.Fakes;

namespace AspireStreaming.Cli.Tests.Audit;

public sealed class AuditCommandTests : IAsyncLifetime
{
    private const string Hole = """{"from":"5-2","to":"5-5","missed":3}""";
    private const string UnknownHole = """{"from":"5-7","to":"6-9","missed":null}""";

    private FakeAuditService _service = null!;

    public async ValueTask InitializeAsync() => _service = await FakeAuditService.StartAsync();

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Fact]
    public async Task Audit_of_all_streams_goes_through_every_page_a_few_at_a_time()
    {
        _service.Listed.AddRange(Enumerable.Range(1, 43).Select(static number => $"s{number}"));

        var run = await RunAsync();

        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        Assert.Equal("All well: 43 streams, 430 events.\n", run.Output);
        Assert.Equal(_service.Listed.Order(), _service.Audited.Order());
        Assert.InRange(_service.MostAtOnce, 1, 4);
    }

    [Fact]
    public async Task Audit_of_no_streams_is_well()
    {
        var run = await RunAsync();

        Assert.Equal((0, "All well: 0 streams, 0 events.\n"), (run.ExitCode, run.Output));
    }

    [Fact]
    public async Task Audit_misses_no_stream_that_moves_up_in_the_listing_meanwhile()
    {
        _service.Listed.AddRange(Enumerable.Range(1, 25).Select(static number => $"s{number}"));
        _service.BeforeList = number =>
        {
            // Between the first page and the second, the last stream gets an event.
            if (number == 2)
            {
                _service.Listed.RemoveAt(24);
                _service.Listed.Insert(0, "s25");
            }
        };

        await RunAsync();

        Assert.Equal(25, _service.Audited.Distinct().Count());
        Assert.Equal(25, _service.Audited.Count);
    }

    [Fact]
    public async Task Audit_with_findings_shows_those_streams_and_exits_4()
    {
        _service.Listed.AddRange(["good", "holed", "doubled", "repeated", "gone"]);
        _service.Unknown.Add("gone");
        _service.Audits["holed"] = FakeAuditService.Document("holed", 1234, $"{Hole},{UnknownHole}", 120);
        _service.Audits["doubled"] = FakeAuditService.Document("doubled", duplicates: 2);
        _service.Audits["repeated"] = FakeAuditService.Document("repeated", repeatedIds: 1);

        var run = await RunAsync();

        Assert.Equal(4, run.ExitCode);
        Assert.DoesNotContain('\e', run.Output);
        Assert.DoesNotContain("good", run.Output, StringComparison.Ordinal);
        Assert.Contains("hole holed 5-2..5-5: 3 missing\nhole holed 5-7..6-9: an unknown number missing\nhole holed: 118 more\n", run.Output, StringComparison.Ordinal);
        Assert.Contains("| holed    |  1,234 |      1 |   5-1 | 5-1234 |   120 |      3+ |", run.Output, StringComparison.Ordinal);
        Assert.EndsWith(
            "Audit failed: 4 streams, 1,264 events: 120 holes, 2 doubled positions, 1 repeated id, 0 streams not audited.\n",
            run.Output,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Audit_of_one_stream_shows_it_even_if_all_is_well()
    {
        _service.Audits["s"] = FakeAuditService.Document("s", 7)
            .Replace("\"hotLast\":\"5-7\"", "\"hotLast\":\"5-9\"", StringComparison.Ordinal)
            .Replace("\"first\":\"5-1\"", "\"first\":\"5-4\"", StringComparison.Ordinal)
            .Replace("\"trimmed\":false", "\"trimmed\":true", StringComparison.Ordinal)
            .Replace("\"dead\":0", "\"dead\":3", StringComparison.Ordinal);

        var run = await RunAsync("s");

        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        Assert.Contains("|      7 |      1 |   5-4 |  5-7 |     0 |       0 |", run.Output, StringComparison.Ordinal);
        Assert.EndsWith(
            "3 events refused by the archive, in dead_events\n1 stream trimmed by retention\n1 stream not archived to the end yet\n"
                + "All well: 1 stream, 7 events.\n",
            run.Output,
            StringComparison.Ordinal);
        Assert.Equal(["s"], _service.Audited);
        Assert.Equal(0, _service.Listings);
    }

    [Fact]
    public async Task Audit_json_is_one_document_for_programs()
    {
        _service.Listed.AddRange(["good", "holed"]);
        _service.Audits["holed"] = FakeAuditService.Document("holed", 20, $"{Hole},{UnknownHole}", 2, more: ",\"news\":[1]");

        var run = await RunAsync("--json");

        using var document = JsonDocument.Parse(run.OutputBytes);
        var root = document.RootElement;
        Assert.Equal(4, run.ExitCode);
        Assert.False(root.GetProperty("ok").GetBoolean());
        Assert.Equal(
            (2, 1, 30, 2), (Number(root, "streams"), Number(root, "streamsWithFindings"), Number(root, "events"), Number(root, "holes")));
        var audit = Assert.Single(root.GetProperty("audits").EnumerateArray());
        Assert.Equal("holed", audit.GetProperty("stream").GetString());
        Assert.Equal($"[{Hole},{UnknownHole}]", JsonSerializer.Serialize(audit.GetProperty("holes")));
        Assert.Equal("5-20", audit.GetProperty("hotLast").GetString());
    }

    [Fact]
    public async Task Audit_quiet_is_only_an_exit_code()
    {
        _service.Audits["s"] = FakeAuditService.Document("s", duplicates: 1);

        var run = await RunAsync("s", "--quiet");

        Assert.Equal((4, "", ""), (run.ExitCode, run.Output, run.Error));
    }

    [Fact]
    public async Task Audit_on_a_terminal_shows_a_bar_with_counts()
    {
        _service.Listed.AddRange(Enumerable.Range(1, 12).Select(static number => $"s{number}"));
        _service.Audits["s3"] = FakeAuditService.Document("s3", holes: Hole, holeCount: 1);

        var run = await CliRun.RunAsync(
            null,
            new CliSurroundings { ErrorIsTerminal = true, OutputIsTerminal = true },
            TestContext.Current.CancellationToken,
            "audit",
            "--url",
            _service.Url);

        Assert.Equal(4, run.ExitCode);
        Assert.Contains("12 of 12 streams, 1 with findings", run.Error, StringComparison.Ordinal);
        Assert.Contains("\e[31mAudit failed", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Audit_of_an_unknown_stream_exits_5()
    {
        var run = await RunAsync("nothing");

        Assert.Equal(5, run.ExitCode);
        Assert.Contains("stream 'nothing' is unknown", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Audit_waits_for_a_service_that_comes_back()
    {
        _service.Listed.Add("s");
        var tries = 0;
        _service.BeforeAudit = async (context, _) =>
        {
            if (++tries > 2)
            {
                return false;
            }

            await FakeAuditService.ProblemAsync(context, 503, "archive-unavailable", "Unavailable");
            return true;
        };

        var run = await RunAsync();

        Assert.Equal(0, run.ExitCode);
        Assert.Contains("503 Unavailable; next try in", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Audit_of_a_service_that_stays_away_exits_3()
    {
        _service.Listed.Add("s");
        _service.BeforeAudit = async (context, _) =>
        {
            await FakeAuditService.ProblemAsync(context, 503, "archive-unavailable", "Unavailable");
            return true;
        };

        Assert.Equal(3, (await RunAsync("--timeout", "200ms")).ExitCode);
        Assert.Equal(3, (await CliRun.RunAsync(null, "audit", "--timeout", "100ms", "--url", "http://127.0.0.1:1")).ExitCode);
    }

    [Fact]
    public async Task Audit_that_takes_too_long_is_not_repeated_and_does_not_stop_the_others()
    {
        _service.Listed.AddRange(["a", "big", "c"]);
        _service.BeforeAudit = async (context, stream) =>
        {
            if (stream != "big")
            {
                return false;
            }

            await FakeAuditService.ProblemAsync(context, 503, "audit-timeout", "The audit took too long");
            return true;
        };

        var all = await RunAsync();
        var one = await RunAsync("big");

        Assert.Equal(1, all.ExitCode);
        Assert.Contains("not audited big: The audit took too long\n", all.Output, StringComparison.Ordinal);
        Assert.Contains("2 streams, 20 events: 0 holes, 0 doubled positions, 0 repeated ids, 1 stream not audited.", all.Output, StringComparison.Ordinal);
        Assert.Equal(1, one.ExitCode);
        Assert.Contains("The audit took too long", one.Error, StringComparison.Ordinal);
        Assert.Equal(4, _service.Audited.Count);
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("<html>")]
    public async Task Audit_of_something_else_says_so_and_exits_1(string answer)
    {
        _service.Audits["s"] = answer;

        var run = await RunAsync("s");

        Assert.Equal(1, run.ExitCode);
        Assert.Contains("does not answer like a Stream API", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Audit_that_is_interrupted_exits_130()
    {
        using var interruption = new CancellationTokenSource();
        _service.Listed.Add("s");
        _service.BeforeAudit = async (_, _) =>
        {
            await interruption.CancelAsync();
            return true;
        };

        var run = await CliRun.RunAsync(null, new CliSurroundings(), interruption.Token, "audit", "--url", _service.Url);

        Assert.Equal(130, run.ExitCode);
    }

    [Fact]
    public async Task Help_of_audit_lists_options_examples_and_exit_codes()
    {
        var run = await CliRun.RunAsync(null, "audit", "--help");

        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        foreach (var part in new[] { "[<STREAM>]", "--timeout", "--json", "--url", "ASPIRESTREAM_URL", "Examples:", "  aspirestream audit run-42", "Exit codes:" })
        {
            Assert.Contains(part, run.Output, StringComparison.Ordinal);
        }

        Assert.Equal(1, (await RunAsync("not/a/name")).ExitCode);
    }

    private static int Number(JsonElement element, string name) => element.GetProperty(name).GetInt32();

    private Task<CliRun> RunAsync(params string[] arguments) => CliRun.RunAsync(null, ["audit", "--url", _service.Url, .. arguments]);
}
