using System.CommandLine;
using AspireStreaming.Cli.CommandLine;
using AspireStreaming.Client;

namespace AspireStreaming.Cli.Tail;

/// <summary><c>aspirestream tail STREAM</c>.</summary>
internal static class TailCommand
{
    private const string Details =
        """
        First what is already there, then live. After any break it resumes where it was. Events go to standard output, control
        events to standard error. The positions are checked: an event that is missing without announcement, or comes twice,
        ends the command with exit code 4. The transports deliver the same; sse is server-sent events, ws a WebSocket session.
        """;

    private const string Examples =
        """
        # Everything, then live
        aspirestream tail run-42

        # Only what comes from now on, one JSON event a line for other programs
        aspirestream tail run-42 --from now --json | jq .data

        # The first 10 errors, waiting a minute at most
        aspirestream tail run-42 --types ERROR_OCCURRED,TOOL_ERROR --count 10 --timeout 1m

        # Over gRPC; over a WebSocket session whose place the service remembers under a name
        aspirestream tail run-42 --via grpc
        aspirestream tail run-42 --via ws --cursor billing

        # From a position (exclusive) or a time
        aspirestream tail run-42 --from 1763646000000-120
        aspirestream tail run-42 --from 2026-01-31T12:00:00Z
        """;

    public static Command Create(CliHost host)
    {
        var stream = StreamArgument.Create();
        var from = new Option<string?>("--from")
        {
            HelpName = "WHERE",
            Description = "start, now, a position (exclusive) or an RFC 3339 time [default: start, or where --cursor stands]",
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
        var via = new Option<string>("--via")
        {
            HelpName = "TRANSPORT",
            Description = "sse, grpc or ws",
            DefaultValueFactory = static _ => "sse",
        };
        via.AcceptOnlyFromAmong("sse", "grpc", "ws");
        var cursor = new Option<string?>("--cursor")
        {
            HelpName = "NAME",
            Description = "With --via ws: go on where this name's last tail stopped, and keep the place for the next",
        };
        var noCheck = new Option<bool>("--no-check") { Description = "Go on when events are missing or come twice" };
        var quiet = new Option<bool>("--quiet", "-q") { Description = "No control events and no word about breaks on standard error" };
        var url = ServiceUrl.StreamApi();
        var grpcUrl = ServiceUrl.StreamApiGrpc();
        var credentials = new Credentials();
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
        foreach (var option in new Option[]
            { from, types, json, count, timeout, retryFor, via, cursor, noCheck, quiet, url.Option, grpcUrl.Option })
        {
            command.Options.Add(option);
        }

        credentials.AddTo(command);
        command.Validators.Add(result =>
        {
            if (result.GetResult(cursor) is not null && result.GetValue(via) != "ws")
            {
                result.AddError("--cursor needs --via ws.");
            }
        });
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var options = credentials.Read(parsed, host);
            options.StreamApiUrl = url.Resolve(parsed, host);
            options.StreamApiGrpcUrl = grpcUrl.Resolve(parsed, host);
            var named = parsed.GetValue(cursor);
            var start = parsed.GetValue(from) ?? (named is null ? "start" : null);
            var subscription = new SubscribeOptions
            {
                From = start is null ? null : StartAt.Text(start),
                Types = parsed.GetValue(types)?.Split(',') ?? [],
                Transport = TransportOf(parsed.GetValue(via)),
                Cursor = named,
                CheckContinuity = !parsed.GetValue(noCheck),
                ConnectWithin = parsed.GetValue(retryFor) ?? TimeSpan.FromSeconds(60),
            };
            var settings = new TailSettings
            {
                Stream = parsed.GetRequiredValue(stream),
                Subscription = subscription,
                Json = parsed.GetValue(json),
                Count = parsed.GetValue(count),
                Timeout = parsed.GetValue(timeout),
                Url = subscription.Transport == StreamTransport.Grpc ? options.StreamApiGrpcUrl : options.StreamApiUrl,
                Quiet = parsed.GetValue(quiet),
            };
            using var http = url.Connect(parsed, host, options);
            using var subscriber = new EventSubscriber(http, options, time: host.Time);
            return (int)await new TailRun(host, subscriber, settings).RunAsync(cancellationToken);
        });
        return command;
    }

    private static StreamTransport TransportOf(string? via) => via switch
    {
        "grpc" => StreamTransport.Grpc,
        "ws" => StreamTransport.WebSocket,
        _ => StreamTransport.ServerSentEvents,
    };
}
