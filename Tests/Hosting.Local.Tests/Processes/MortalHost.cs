using System.Collections.Concurrent;
using System.Diagnostics;
using Aspire.Hosting.Local;

namespace AspireStreaming.Hosting.Local.Tests.Processes;

/// <summary>A host in a process of its own, to be killed. It says on standard output what its programs say, and waits.</summary>
internal sealed class MortalHost : IAsyncDisposable
{
    public const string Command = "mortal-host";

    public const string Tree = "tree";
    public const string Siblings = "siblings";
    public const string TemporaryServer = "temporary-server";
    public const int SiblingCount = 16;

    private readonly Process _process;
    private readonly ConcurrentQueue<string> _lines = new();

    private MortalHost(Process process)
    {
        _process = process;
        process.OutputDataReceived += (_, e) =>
        {
            if (e.Data is { } line)
            {
                _lines.Enqueue(line);
            }
        };
        process.BeginOutputReadLine();
    }

    public int Id => _process.Id;

    public static MortalHost Start(string scenario)
    {
        var dotnet = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? LocalBinaries.Find("dotnet");
        return new MortalHost(Process.Start(new ProcessStartInfo(dotnet, [typeof(MortalHost).Assembly.Location, Command, scenario])
        {
            RedirectStandardOutput = true,
            RedirectStandardInput = true,
        })!);
    }

    public static async Task<int> RunAsync(string scenario)
    {
        switch (scenario)
        {
            case Tree:
                GuardedProcess.Start(TestPrograms.ShellSpec("trap '' TERM; sleep 300 & echo $!; echo $$; while :; do wait; done"), Print);
                break;
            case Siblings:
                await Parallel.ForAsync(0, SiblingCount, (_, _) =>
                {
                    GuardedProcess.Start(TestPrograms.ShellSpec("echo $$; exec sleep 300"), Print);
                    return ValueTask.CompletedTask;
                });
                break;
            case TemporaryServer:
                var folder = DataFolders.Temporary("mortal", null);
                Console.WriteLine(folder);
                var redis = GuardedProcess.Start(RedisServer.Prepare(0, null, folder, ["--unixsocket", Path.Combine(folder, "socket")]), (_, _) => { });
                Console.WriteLine(redis.Id);
                break;
            default:
                return 2;
        }

        await Console.In.ReadLineAsync();
        return 0;
    }

    public Task<string> LineAsync(CancellationToken cancellationToken) => TestPrograms.LineAsync(_lines, cancellationToken);

    public async Task<int> NumberAsync(CancellationToken cancellationToken) => int.Parse(await LineAsync(cancellationToken));

    public async Task KillAsync(CancellationToken cancellationToken)
    {
        Posix.Send(Id, ProcessSignal.Kill);
        await _process.WaitForExitAsync(cancellationToken);
    }

    /// <summary>Lets the host end without having stopped anything.</summary>
    public async Task EndAsync(CancellationToken cancellationToken)
    {
        await _process.StandardInput.WriteLineAsync("end".AsMemory(), cancellationToken);
        await _process.StandardInput.FlushAsync(cancellationToken);
        await _process.WaitForExitAsync(cancellationToken);
    }

    public ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        _process.Dispose();
        return ValueTask.CompletedTask;
    }

    private static void Print(string line, bool isError) => Console.WriteLine(line);
}
