using System.CommandLine;
using AspireStreaming.Cli.CommandLine;

namespace AspireStreaming.Cli.Audit;

/// <summary><c>aspirestream audit [STREAM]</c>.</summary>
internal static class AuditCommand
{
    private const string Details =
        """
        Has the archive checked by its own database: holes in the sequence of a stream's positions, positions that occur twice, and
        events (source and id) that stand at more than one position. No event is transferred, so it is quick; "verify" reads
        everything and compares it. What retention has dropped, or the archiver has not archived yet, is no finding but is told.
        """;

    private const string Examples =
        """
        # All streams; exit code 0 only when nothing is missing or doubled
        aspirestream audit

        # One stream
        aspirestream audit run-42

        # For scripts: the streams with findings
        aspirestream audit --json | jq '.audits[].stream'
        """;

    public static Command Create(CliHost host)
    {
        var stream = StreamArgument.Create();
        stream.Arity = ArgumentArity.ZeroOrOne;
        stream.Description = "Name of the stream [default: all]";
        var timeout = new Option<TimeSpan?>("--timeout")
        {
            HelpName = "TIME",
            Description = "How long one stream's audit may take, and how long to try again while the service is away or busy [default: 2m]",
            CustomParser = static result => Durations.Parse(result),
        };
        var json = new Option<bool>("--json") { Description = "The report as JSON" };
        var quiet = new Option<bool>("--quiet", "-q") { Description = "No report and no progress, only the exit code and errors" };
        var url = ServiceUrl.StreamApi();
        var credentials = new Credentials();

        var command = new ExampleCommand("audit", "Finds holes and duplicates in the archive.")
        {
            Details = Details,
            Examples = Examples,
        };
        command.Arguments.Add(stream);
        foreach (var option in new Option[] { timeout, json, quiet, url.Option })
        {
            command.Options.Add(option);
        }

        credentials.AddTo(command);

        command.SetAction(async (parsed, cancellationToken) =>
        {
            var settings = new AuditSettings
            {
                Stream = parsed.GetValue(stream),
                Timeout = parsed.GetValue(timeout) ?? TimeSpan.FromMinutes(2),
                Json = parsed.GetValue(json),
                Quiet = parsed.GetValue(quiet),
            };
            using var http = url.Connect(parsed, host, credentials.Read(parsed, host));
            IAuditProgress progress = settings.Quiet ? new QuietAuditProgress()
                : host.ErrorIsTerminal && settings.Stream is null ? new BarAuditProgress(host)
                : new LineAuditProgress(host);
            var report = await new AuditRun(new AuditClient(http, settings.Timeout, host.Time), settings, progress, host.Time)
                .RunAsync(cancellationToken);
            if (settings.Json)
            {
                AuditOutput.WriteJson(report, host);
            }
            else if (!settings.Quiet)
            {
                AuditOutput.WriteText(report, host);
            }

            return (int)(report.StreamsWithFindings > 0 ? ExitCode.VerificationFailed : report.IsWell ? ExitCode.Success : ExitCode.Failure);
        });
        return command;
    }
}
