using System.CommandLine;
using AspireStreaming.Cli.Client;
using AspireStreaming.Cli.CommandLine;

namespace AspireStreaming.Cli.Tail;

/// <summary><c>aspirestream tail STREAM</c>.</summary>
internal static class TailCommand
{
    private const string Details =
        """
        First what is already there, then live. After any break it resumes where it was. Events go to standard output, control
        events to standard error. The positions are checked: an event that is missing without announcement, or comes twice,
        ends the command with exit code 4.
        """;

    private const string Examples =
        """
        # Everything, then live
        aspirestream tail run-42

        # Only what comes from now on, one JSON event a line for other programs
        aspirestream tail run-42 --from now --json | jq .data

        # The first 10 errors, waiting a minute at most
        aspirestream tail run-42 --types ERROR_OCCURRED,TOOL_ERROR --count 10 --timeout 1m

        # From a position (exclusive) or a time
        aspirestream tail run-42 --from 1763646000000-120
        aspirestream tail run-42 --from 2026-01-31T12:00:00Z
        """;

    public static Command Create(CliHost host)
    {
        var stream = StreamArgument.Create();
        var from = new Option<string>("--from")
        {
            HelpName = "WHERE",
            Description = "start, now, a position (exclusive) or an RFC 3339 time",
            DefaultValueFactory = static _ => "start",
        };
        var types = new Option<string?>("--types") { HelpName = "A,B", Description = "Only events of these types" };
        var json = new Option<bool>("--json") { Description = "One event a line, as received, and nothing else on standard output" };
        var count = new Option<long?>("--count", "-n") { HelpName = "N", Description = "Stop after N events" };
        var timeout = new Option<TimeSpan?>("--timeout")
        {
            HelpName = "TIME",
            Description = "Stop after this time (30, 500ms, 2m); with --count that is exit code 1",
            CustomParser = static result => Durations.Parse(result),
        };
        var retryFor = new Option<TimeSpan?>("--retry-for")
        {
            HelpName = "TIME",
            Description = "How long to try for the first connection; once connected it never gives up [default: 60s]",
            CustomParser = static result => Durations.Parse(result),
        };
        var noCheck = new Option<bool>("--no-check") { Description = "Go on when events are missing or come twice" };
        var quiet = new Option<bool>("--quiet", "-q") { Description = "No control events and no word about breaks on standard error" };
        var url = ServiceUrl.StreamApi();
        count.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<long?>() < 1)
            {
                result.AddError("--count is a number from 1.");
            }
        });

        var command = new ExampleCommand("tail", "Follows a stream until it ends.")
        {
            Details = Details,
            Examples = Examples,
        };
        command.Arguments.Add(stream);
        foreach (var option in new Option[] { from, types, json, count, timeout, retryFor, noCheck, quiet, url.Option })
        {
            command.Options.Add(option);
        }

        command.SetAction(async (parsed, cancellationToken) =>
        {
            var settings = new TailSettings
            {
                Stream = parsed.GetRequiredValue(stream),
                From = parsed.GetRequiredValue(from),
                Types = parsed.GetValue(types),
                Json = parsed.GetValue(json),
                Count = parsed.GetValue(count),
                Timeout = parsed.GetValue(timeout),
                RetryFor = parsed.GetValue(retryFor) ?? TimeSpan.FromSeconds(60),
                Check = !parsed.GetValue(noCheck),
                Quiet = parsed.GetValue(quiet),
            };
            using var http = url.Connect(parsed, host);
            return (int)await new TailRun(host, new StreamApiClient(http, host.Time), settings).RunAsync(cancellationToken);
        });
        return command;
    }
}
