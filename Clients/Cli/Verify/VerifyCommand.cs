using System.CommandLine;
using AspireStreaming.Cli.CommandLine;
using AspireStreaming.Client.Http;

namespace AspireStreaming.Cli.Verify;

/// <summary><c>aspirestream verify STREAM</c>.</summary>
internal static class VerifyCommand
{
    private const string Details =
        """
        Waits until the archive has everything that the stream holds now, then reads all of it from the archive, from the hot
        log and as readers get it. Reports holes, duplicates, disorder, and events that differ between the three. Exit code 0
        only when all is well.
        """;

    private const string Examples =
        """
        # Exit code 0 only when nothing is missing, doubled, out of order or altered
        aspirestream verify run-42

        # Also compare every event's data with the file that was published
        aspirestream verify recording --file recording.jsonl

        # For scripts
        aspirestream verify run-42 --json --timeout 2m | jq .ok
        """;

    public static Command Create(CliHost host)
    {
        var stream = StreamArgument.Create();
        var file = new Option<string?>("--file")
        {
            HelpName = "FILE",
            Description = "File of JSON lines: the events' data must equal its lines, in order, but for whitespace between tokens",
        };
        var timeout = new Option<TimeSpan?>("--timeout")
        {
            HelpName = "TIME",
            Description = "How long to wait for the archive: 30, 500ms, 2m [default: 60s]",
            CustomParser = static result => Durations.Parse(result),
        };
        var retryFor = new Option<TimeSpan?>("--retry-for")
        {
            HelpName = "TIME",
            Description = "How long to try again while the service is away or busy [default: 60s]",
            CustomParser = static result => Durations.Parse(result),
        };
        var allowTrimmed = new Option<bool>("--allow-trimmed")
        {
            Description = "The stream's beginning may be gone, dropped by retention; otherwise its first event must have sequence 1",
        };
        var json = new Option<bool>("--json") { Description = "The report as JSON" };
        var quiet = new Option<bool>("--quiet", "-q") { Description = "No report and no progress, only the exit code and errors" };
        var url = ServiceUrl.StreamApi();
        var credentials = new Credentials();

        var command = new ExampleCommand("verify", "Proves that a stream is whole.")
        {
            Details = Details,
            Examples = Examples,
        };
        command.Arguments.Add(stream);
        foreach (var option in new Option[] { file, timeout, retryFor, allowTrimmed, json, quiet, url.Option })
        {
            command.Options.Add(option);
        }

        credentials.AddTo(command);

        command.SetAction(async (parsed, cancellationToken) =>
        {
            var settings = new VerifySettings
            {
                Stream = parsed.GetRequiredValue(stream),
                File = parsed.GetValue(file),
                Timeout = parsed.GetValue(timeout) ?? TimeSpan.FromSeconds(60),
                RetryFor = parsed.GetValue(retryFor) ?? TimeSpan.FromSeconds(60),
                AllowTrimmed = parsed.GetValue(allowTrimmed),
                Json = parsed.GetValue(json),
                Quiet = parsed.GetValue(quiet),
            };
            var options = credentials.Read(parsed, host);
            using var http = url.Connect(parsed, host, options);
            var client = new StreamApiClient(new ServiceConnection(http, options.StreamApiUrl, options, host.Time));
            var report = await new VerifyRun(host, client, settings).RunAsync(cancellationToken);
            if (settings.Json)
            {
                VerifyOutput.WriteJson(report, host);
            }
            else if (!settings.Quiet)
            {
                VerifyOutput.WriteTable(report, host);
            }

            return (int)(report.IsWell ? ExitCode.Success : ExitCode.VerificationFailed);
        });
        return command;
    }
}
