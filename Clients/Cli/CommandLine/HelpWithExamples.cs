using System.CommandLine;
using System.CommandLine.Invocation;

namespace AspireStreaming.Cli.CommandLine;

/// <summary>The usual help, then examples and exit codes.</summary>
internal sealed class HelpWithExamples(SynchronousCommandLineAction help, string rootExamples) : SynchronousCommandLineAction
{
    private const string ExitCodes =
        """
        Exit codes:
          0    all well
          1    wrong usage, or something unexpected
          2    bad input: a line that cannot be published, a request that the service refuses
          3    the service could not be reached in time
          4    verification failed: events missing, doubled, out of order or altered
          5    unknown stream
          130  interrupted
        """;

    /// <summary>Help is shown even if required arguments are missing.</summary>
    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        help.Invoke(parseResult);
        var output = parseResult.InvocationConfiguration.Output;
        var command = parseResult.CommandResult.Command as ExampleCommand;
        if (command is not null)
        {
            WriteSection(output, "Details", command.Details);
        }

        WriteSection(output, "Examples", command?.Examples ?? rootExamples);
        output.WriteLine(ExitCodes);
        return 0;
    }

    private static void WriteSection(TextWriter output, string title, string text)
    {
        output.WriteLine(title + ":");
        foreach (var line in text.Split('\n'))
        {
            output.WriteLine(("  " + line).TrimEnd());
        }

        output.WriteLine();
    }
}
