using System.Diagnostics;
using System.Text;

namespace AspireStreaming.TestSupport.Processes;

/// <summary>Runs a program to its end, bounded in time and in what is kept of its output.</summary>
internal static class BoundedProcess
{
    private const int MaxOutputChars = 1024 * 1024;

    private static readonly TimeSpan KillTimeout = TimeSpan.FromSeconds(5);

    public static async Task<NodeResult> RunAsync(
        string program,
        IEnumerable<string> arguments,
        string workingDirectory,
        IReadOnlyDictionary<string, string> environment,
        TimeSpan deadline,
        CancellationToken cancellationToken)
    {
        var startInfo = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = workingDirectory,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in environment)
        {
            startInfo.Environment[name] = value;
        }

        using var process = Process.Start(startInfo) ?? throw new InvalidOperationException($"{program} did not start.");
        process.StandardInput.Close();
        var standardOutput = new StringBuilder();
        var standardError = new StringBuilder();
        var ended = Task.WhenAll(
            process.WaitForExitAsync(CancellationToken.None),
            DrainAsync(process.StandardOutput, standardOutput),
            DrainAsync(process.StandardError, standardError));
        try
        {
            await ended.WaitAsync(deadline, TimeProvider.System, cancellationToken);
        }
        catch (Exception exception) when (exception is TimeoutException or OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            await ended.WaitAsync(KillTimeout, TimeProvider.System, CancellationToken.None);
            if (exception is TimeoutException)
            {
                throw new TimeoutException(
                    $"{program} {string.Join(' ', startInfo.ArgumentList)} took longer than {deadline.TotalSeconds:0.#} s."
                    + $"\nOutput: {standardOutput}\nErrors: {standardError}");
            }

            throw;
        }

        return new NodeResult(process.ExitCode, standardOutput.ToString(), standardError.ToString());
    }

    /// <summary>Reads to the end, so that the program never blocks on a full pipe, and keeps the beginning.</summary>
    private static async Task DrainAsync(TextReader reader, StringBuilder kept)
    {
        var buffer = new char[4096];
        int count;
        while ((count = await reader.ReadAsync(buffer)) > 0)
        {
            kept.Append(buffer, 0, Math.Min(count, MaxOutputChars - kept.Length));
        }
    }
}
