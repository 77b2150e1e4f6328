using System.Diagnostics;
using System.Text;
using AspireStreaming.TestSupport;

namespace AspireStreaming.AppHost.Tests;

/// <summary>Runs <c>aspirestream</c> as a user does: as a process.</summary>
internal static class CommandLine
{
    public static async Task<(int ExitCode, string Output, string Errors)> RunAsync(
        SystemFixture system, IEnumerable<string> arguments, CancellationToken cancellationToken)
    {
        var configuration = Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory));
        var start = new ProcessStartInfo("dotnet")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
        };
        start.ArgumentList.Add(Path.Combine(RepositoryPaths.Artifacts, "bin", "Cli", configuration, "aspirestream.dll"));
        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment["ASPIRESTREAM_PUBLISHER"] = system.App.GetEndpoint("publisher-api", "http").ToString();
        start.Environment["ASPIRESTREAM_URL"] = system.App.GetEndpoint("stream-api", "http").ToString();
        start.Environment["ASPIRESTREAM_GRPC_URL"] = system.App.GetEndpoint("stream-api", "grpc").ToString();
        using var process = Process.Start(start)!;
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
            var errors = process.StandardError.ReadToEndAsync(cancellationToken);
            await process.WaitForExitAsync(cancellationToken).WaitAsync(SystemFixture.Patience, cancellationToken);
            return (process.ExitCode, await output, await errors);
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
            }
        }
    }
}
