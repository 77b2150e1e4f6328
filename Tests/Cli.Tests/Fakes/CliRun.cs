using System.Text;
using AspireStreaming.Cli.CommandLine;

namespace AspireStreaming.Cli.Tests.Fakes;

/// <summary>Runs the command line in this process, with a process around it that the test chooses.</summary>
internal sealed record CliRun(int ExitCode, byte[] OutputBytes, string Error)
{
    public string Output => Encoding.UTF8.GetString(OutputBytes);

    public string[] Lines => Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    public static Task<CliRun> RunAsync(FakeService? service, params string[] args) =>
        RunAsync(service, new CliSurroundings(), TestContext.Current.CancellationToken, args);

    public static async Task<CliRun> RunAsync(
        FakeService? service, CliSurroundings surroundings, CancellationToken cancellationToken, params string[] args)
    {
        using var output = new MemoryStream();
        await using var error = new StringWriter();
        using var host = new CliHost(surroundings.Input, surroundings.Output ?? output, TextWriter.Synchronized(error))
        {
            OutputIsTerminal = surroundings.OutputIsTerminal,
            ErrorIsTerminal = surroundings.ErrorIsTerminal,
            Variable = name => surroundings.Variables.GetValueOrDefault(name) ?? (name is "ASPIRESTREAM_URL" or "ASPIRESTREAM_PUBLISHER" ? service?.Url : null),
        };
        var exitCode = await CliApp.RunAsync(args, host, cancellationToken).WaitAsync(TimeSpan.FromSeconds(20), TimeProvider.System, CancellationToken.None);
        return new CliRun(exitCode, output.ToArray(), error.ToString());
    }
}
