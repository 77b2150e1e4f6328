using System.CommandLine;
using AspireStreaming.Cli.CommandLine;
using AspireStreaming.Client;
using AspireStreaming.Client.Http;

namespace AspireStreaming.Cli.Publish;

/// <summary><c>aspirestream publish FILE|-</c>.</summary>
internal static class PublishCommand
{
    private const string StandardInput = "-";

    private const string Details =
        """
        Each line becomes the data of one event, exactly as it is written. Blank lines are skipped; a line may have up to 1 MiB.
        Event ids follow from stream, file name, line number and line, so the same command after an interruption appends only
        what is missing. The service knows ids for a day.
        """;

    private const string Examples =
        """
        # To the stream 'recording', each event's type taken from its line's "type", else 'chunk'
        aspirestream publish recording.jsonl

        # The type from a nested field, at 50 events a second, to a stream of another name
        aspirestream publish run.jsonl --type-from event.kind --rate 50 --stream run-42

        # From a pipe, as the lines come
        my-agent | aspirestream publish - --stream session-7

        # Copy a stream
        aspirestream tail run-42 --json | aspirestream publish - --events --stream run-42-copy
        """;

    public static Command Create(CliHost host)
    {
        var file = new Argument<string>("FILE") { Description = "File of JSON lines, or - for standard input" };
        var stream = new Option<string?>("--stream")
        {
            HelpName = "NAME",
            Description = "Stream to append to [default: the file's name without extension, other characters replaced by -]",
        };
        var type = new Option<string?>("--type") { HelpName = "TYPE", Description = "Type of all events" };
        var typeFrom = new Option<string?>("--type-from")
        {
            HelpName = "FIELD",
            Description = "Field of the line that names its type, with dots into objects; 'chunk' where it is missing [default: type]",
        };
        var events = new Option<bool>("--events")
        {
            Description = "The lines are whole events: ids are kept, missing ones derived. What 'tail --json' wrote can be published.",
        };
        var rate = new Option<double>("--rate") { HelpName = "N", Description = "Events a second; 0 = as fast as possible" };
        var batch = new Option<int>("--batch")
        {
            HelpName = "N",
            Description = "Events in a request, 1 to 1000",
            DefaultValueFactory = static _ => 100,
        };
        var retryFor = new Option<TimeSpan?>("--retry-for")
        {
            HelpName = "TIME",
            Description = "How long to try again while the service is away or busy: 30, 500ms, 2m [default: 60s]",
            CustomParser = static result => Durations.Parse(result),
        };
        var quiet = new Option<bool>("--quiet", "-q") { Description = "No progress and no summary, only errors" };
        var publisher = ServiceUrl.Publisher();
        var credentials = new Credentials();

        stream.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string?>() is { } name && !StreamName.IsValid(name))
            {
                result.AddError($"'{name}' cannot name a stream: {StreamName.Rule}.");
            }
        });
        type.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string?>() is { } value && !EventType.IsValid(value))
            {
                result.AddError($"'{value}' cannot be a type: {EventType.Rule}.");
            }
        });
        rate.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<double>() is not (>= 0 and <= 1_000_000))
            {
                result.AddError("--rate is a number from 0 to 1000000.");
            }
        });
        batch.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is < 1 or > 1000)
            {
                result.AddError("--batch is a number from 1 to 1000.");
            }
        });

        var command = new ExampleCommand("publish", "Publishes a file of JSON lines.")
        {
            Details = Details,
            Examples = Examples,
        };
        command.Arguments.Add(file);
        foreach (var option in new Option[] { stream, type, typeFrom, events, rate, batch, retryFor, quiet, publisher.Option })
        {
            command.Options.Add(option);
        }

        credentials.AddTo(command);

        command.Validators.Add(result =>
        {
            var chosen = (result.GetResult(type) is not null ? 1 : 0) + (result.GetResult(typeFrom) is not null ? 1 : 0)
                + (result.GetValue(events) ? 1 : 0);
            if (chosen > 1)
            {
                result.AddError("--type, --type-from and --events exclude each other.");
            }
        });
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var path = parsed.GetRequiredValue(file);
            var settings = new PublishSettings
            {
                Stream = parsed.GetValue(stream) ?? DefaultStream(path),
                FileName = path == StandardInput ? "stdin" : Path.GetFileName(path),
                FixedType = parsed.GetValue(type),
                TypePath = (parsed.GetValue(typeFrom) ?? "type").Split('.'),
                WholeEvents = parsed.GetValue(events),
                Rate = parsed.GetValue(rate),
                BatchSize = parsed.GetValue(batch),
                RetryFor = parsed.GetValue(retryFor) ?? TimeSpan.FromSeconds(60),
            };
            var options = credentials.Read(parsed, host);
            using var http = publisher.Connect(parsed, host, options);
            return (int)await RunAsync(host, http, options, path, settings, parsed.GetValue(quiet), cancellationToken);
        });
        return command;
    }

    private static async Task<ExitCode> RunAsync(
        CliHost host,
        HttpClient http,
        StreamingClientOptions options,
        string path,
        PublishSettings settings,
        bool quiet,
        CancellationToken cancellationToken)
    {
        var input = path == StandardInput ? host.Input : JsonLinesFile.Open(path);
        try
        {
            long? size = input.CanSeek ? input.Length : null;
            IPublishProgress progress = quiet ? new QuietProgress()
                : host.ErrorIsTerminal ? new BarProgress(host, settings.FileName, size)
                : new LineProgress(host, size);
            options.RetryFor = settings.RetryFor;
            options.OnRetry = retry => progress.Note($"{Faults.Describe(retry.Fault)}; next try in {retry.Delay.TotalSeconds:0.0} s");
            var run = new PublishRun(new EventPublisher(http, options, host.Time), settings, host.Time, progress);
            var started = host.Time.GetTimestamp();
            try
            {
                await progress.RunAsync(() => run.RunAsync(input, cancellationToken));
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                host.Error.WriteLine($"Interrupted. {Progress(settings, run.Totals)}; the same command goes on from there.");
                return ExitCode.Interrupted;
            }
            catch
            {
                if (run.Totals.Acknowledged > 0)
                {
                    host.Error.WriteLine(Progress(settings, run.Totals) + ".");
                }

                throw;
            }

            if (!quiet)
            {
                host.Out.WriteLine(Summary(settings, run.Totals, host.Time.GetElapsedTime(started)));
            }

            return ExitCode.Success;
        }
        finally
        {
            if (path != StandardInput)
            {
                await input.DisposeAsync();
            }
        }
    }

    private static string Progress(PublishSettings settings, PublishTotals totals) => totals.Acknowledged == 0
        ? "No event was acknowledged"
        : $"Acknowledged {Count(totals)}, up to {settings.FileName}:{totals.Line}";

    private static string Summary(PublishSettings settings, PublishTotals totals, TimeSpan elapsed) => totals.Acknowledged == 0
        ? $"{settings.FileName} holds no events."
        : $"{settings.Stream}: acknowledged {Count(totals)}; "
            + $"positions {totals.First} to {totals.Last}; {elapsed.TotalSeconds:0.0} s, {PublishRate.Format(totals, elapsed)}";

    private static string Count(PublishTotals totals) =>
        $"{totals.Acknowledged:N0}, of which {totals.Duplicates:N0} {(totals.Duplicates == 1 ? "was" : "were")} already there";

    private static string DefaultStream(string path)
    {
        var name = path == StandardInput ? "" : FileStreamName.Of(path);
        return StreamName.IsValid(name)
            ? name
            : throw new CliException(ExitCode.Failure, path == StandardInput
                ? "standard input has no name: say which stream with --stream NAME."
                : $"the name of '{path}' cannot name a stream: say which with --stream NAME.");
    }
}
