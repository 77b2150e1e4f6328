using System.Diagnostics;
using AspireStreaming.Cli.Tests.Fakes;
using AspireStreaming.TestSupport;

namespace AspireStreaming.Cli.Tests.CommandLine;

/// <summary>What only a real process shows: signals, pipes, exit codes, the script at the root.</summary>
public sealed class ProcessTests : IAsyncLifetime, IDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(15);

    private readonly TempFolder _folder = new();
    private FakeService _service = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>In its own folder: these tests have ASP.NET Core's framework, where libraries lie that the program brings along.</summary>
    private static string Program { get; } = Path.Combine(
        RepositoryPaths.Artifacts, "bin", "Cli", Path.GetFileName(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar)), "aspirestream.dll");

    public async ValueTask InitializeAsync() => _service = await FakeService.StartAsync();

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Publish_interrupted_by_a_signal_exits_130()
    {
        using var process = Start("dotnet", [Program, "publish", "-", "--stream", "live"]);
        await process.StandardInput.WriteAsync("1\n2\n");
        await process.StandardInput.FlushAsync(Token);
        await Eventually.TrueAsync(() => _service["live"].Combined.Count == 2, Deadline, "two events are there", Token);

        using var kill = Start("kill", ["-INT", $"{process.Id}"]);
        var error = await process.StandardError.ReadToEndAsync(Token);
        await process.WaitForExitAsync(Token).WaitAsync(Deadline, TimeProvider.System, Token);

        Assert.Equal(130, process.ExitCode);
        Assert.Contains("Interrupted.", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Version_is_a_version_and_nothing_else()
    {
        using var process = Start("dotnet", [Program, "--version"]);

        Assert.Matches(@"^\d+\.\d+\.\d+\s*$", await process.StandardOutput.ReadToEndAsync(Token).WaitAsync(Deadline, TimeProvider.System, Token));
    }

    [Fact]
    public async Task Tail_into_head_ends_when_head_does()
    {
        _service.Connections.Add(static async sse =>
        {
            await sse.StartAsync();
            for (var sequence = 1; ; sequence++)
            {
                await sse.EventAsync(sequence);
            }
        });

        using var process = Start("bash", ["-c", $"dotnet '{Program}' tail s --json | head -n 3; echo ${{PIPESTATUS[0]}}"]);
        var output = await process.StandardOutput.ReadToEndAsync(Token).WaitAsync(Deadline, TimeProvider.System, Token);

        var lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(4, lines.Length);
        Assert.Equal("0", lines[3]);
    }

    [Fact]
    public async Task Script_builds_once_and_passes_arguments_on_from_the_callers_folder()
    {
        var script = Path.Combine(_folder.Path, "aspirestream");
        File.Copy(Path.Combine(RepositoryPaths.Root, "aspirestream"), script);
        Directory.CreateDirectory(Path.Combine(_folder.Path, "Clients", "Cli"));
        Directory.CreateDirectory(Path.Combine(_folder.Path, "Services", "Streaming", "Protos"));
        Directory.CreateDirectory(Path.Combine(_folder.Path, "eng"));
        Directory.CreateDirectory(Path.Combine(_folder.Path, "elsewhere dir"));
        foreach (var file in new[] { "Directory.Build.props", "Directory.Build.targets", "global.json", "Clients/Cli/Program.cs" })
        {
            _folder.Write(file, "");
        }

        // Stands in for the SDK: "builds" a program, and says what it would run.
        var bin = Directory.CreateDirectory(Path.Combine(_folder.Path, "bin")).FullName;
        var dotnet = _folder.Write("bin/dotnet", """
            #!/usr/bin/env bash
            if [[ "$1" == build ]]; then
              mkdir -p "$(dirname "$0")/../artifacts/bin/Cli/debug"
              touch "$(dirname "$0")/../artifacts/bin/Cli/debug/aspirestream.dll"
              echo built >&2
              echo built >>"$(dirname "$0")/../builds"
            else
              printf '%s|' "$PWD" "$@"
              exit 42
            fi
            """);
        using var chmod = Start("chmod", ["+x", dotnet]);
        await chmod.WaitForExitAsync(Token);

        var first = await RunScriptAsync(script, bin);
        var second = await RunScriptAsync(script, bin);
        var builtTwice = await File.ReadAllLinesAsync(Path.Combine(_folder.Path, "builds"), Token);
        File.SetLastWriteTimeUtc(Path.Combine(_folder.Path, "Clients/Cli/Program.cs"), TimeProvider.System.GetUtcNow().UtcDateTime.AddMinutes(1));
        await RunScriptAsync(script, bin);
        var builtThrice = await File.ReadAllLinesAsync(Path.Combine(_folder.Path, "builds"), Token);

        var expected = string.Join('|', Path.Combine(_folder.Path, "elsewhere dir"), Path.Combine(_folder.Path, "artifacts/bin/Cli/debug/aspirestream.dll"), "publish", "a b.jsonl", "--rate", "5", "");
        Assert.Equal((42, expected, ""), first);
        Assert.Equal(first, second);
        Assert.Single(builtTwice);
        Assert.Equal(2, builtThrice.Length);
    }

    private async Task<(int ExitCode, string Output, string Error)> RunScriptAsync(string script, string bin)
    {
        using var process = Start("bash", [script, "publish", "a b.jsonl", "--rate", "5"], start =>
        {
            start.WorkingDirectory = Path.Combine(_folder.Path, "elsewhere dir");
            start.Environment["PATH"] = bin + ":" + start.Environment["PATH"];
        });
        var output = await process.StandardOutput.ReadToEndAsync(Token);
        var error = await process.StandardError.ReadToEndAsync(Token);
        await process.WaitForExitAsync(Token).WaitAsync(Deadline, TimeProvider.System, Token);
        return (process.ExitCode, output, error);
    }

    private Process Start(string program, IEnumerable<string> arguments, Action<ProcessStartInfo>? adapt = null)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["ASPIRESTREAM_URL"] = _service.Url;
        start.Environment["ASPIRESTREAM_PUBLISHER"] = _service.Url;
        adapt?.Invoke(start);
        return Process.Start(start) ?? throw new InvalidOperationException($"{program} did not start.");
    }
}
