using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.Net;
using AspireStreaming.Cli.Audit;
using AspireStreaming.Cli.Publish;
using AspireStreaming.Cli.Tail;
using AspireStreaming.Cli.Verify;
using AspireStreaming.Client;

namespace AspireStreaming.Cli.CommandLine;

/// <summary>The whole command line: commands, help, and the one place where faults become exit codes.</summary>
internal static class CliApp
{
    private const string Examples =
        """
        aspirestream publish recording.jsonl
        aspirestream tail recording
        aspirestream verify recording --file recording.jsonl
        aspirestream audit
        """;

    public static async Task<int> RunAsync(string[] args, CliHost host, CancellationToken cancellationToken)
    {
        // @file tokens are text here, not response files.
        var parsed = CreateRoot(host).Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (parsed.Action is ParseErrorAction parseError)
        {
            parseError.ShowHelp = args.Length == 0;
        }

        var configuration = new InvocationConfiguration
        {
            Output = host.Out,
            Error = host.Error,
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = null,
        };
        try
        {
            return await parsed.InvokeAsync(configuration, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return (int)ExitCode.Interrupted;
        }
        catch (OutputClosedException)
        {
            return (int)ExitCode.Success;
        }
#pragma warning disable CA1031 // The outermost frame: whatever it is becomes a message and an exit code.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            host.WriteError(exception.Message);
            return (int)ExitCodeOf(exception);
        }
    }

    private static RootCommand CreateRoot(CliHost host)
    {
        var root = new RootCommand("Publishes, follows and verifies event streams.")
        {
            PublishCommand.Create(host),
            TailCommand.Create(host),
            VerifyCommand.Create(host),
            AuditCommand.Create(host),
        };
        foreach (var option in root.Options)
        {
            if (option is HelpOption { Action: HelpAction action } help)
            {
                help.Action = new HelpWithExamples(action, Examples);
            }
        }

        return root;
    }

    private static ExitCode ExitCodeOf(Exception exception) => exception switch
    {
        CliException cli => cli.ExitCode,
        ServiceUnreachableException => ExitCode.Unreachable,
        ContinuityException => ExitCode.VerificationFailed,
        ApiException { Status: HttpStatusCode.NotFound } => ExitCode.UnknownStream,
        ApiException
        {
            Status: HttpStatusCode.BadRequest or HttpStatusCode.Conflict or HttpStatusCode.RequestEntityTooLarge
            or HttpStatusCode.UnsupportedMediaType or HttpStatusCode.UnprocessableEntity
        } => ExitCode.BadInput,
        _ => ExitCode.Failure,
    };
}
