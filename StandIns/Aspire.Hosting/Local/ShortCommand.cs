using System.Diagnostics;

namespace Aspire.Hosting.Local;

/// <summary>Runs a command that answers at once (a version, a user's number) and is not worth waiting for asynchronously.</summary>
internal static class ShortCommand
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(10);

    public static (int ExitCode, string Output) Run(string fileName, params IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(fileName, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = "/",
        };
        using var process = Process.Start(start) ?? throw new DistributedApplicationException($"'{fileName}' did not start.");
        process.StandardInput.Close();
        process.ErrorDataReceived += static (_, _) => { };
        process.BeginErrorReadLine();
        var output = process.StandardOutput.ReadToEndAsync();
        if (!process.WaitForExit(Deadline))
        {
            process.Kill(entireProcessTree: true);
            throw new DistributedApplicationException($"'{fileName}' did not answer within {Deadline.TotalSeconds} s.");
        }

        return (process.ExitCode, output.GetAwaiter().GetResult().Trim());
    }
}
