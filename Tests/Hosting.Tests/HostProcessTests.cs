using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Runtime.Versioning;
using System.Text.RegularExpressions;

namespace AspireStreaming.Hosting.Tests;

/// <summary>The host as a process of its own, as "dotnet run" has it. Some seconds each.</summary>
[SupportedOSPlatform("linux")]
public sealed partial class HostProcessTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(40);

    [Fact]
    public async Task Kill_of_the_host_leaves_no_process()
    {
        await using var host = await HostProcess.StartAsync();
        var processes = host.Descendants();
        var ports = host.Ports();
        Assert.True(processes.Count >= 5, $"redis, postgres and three services run, but the host has {processes.Count} descendants");
        Assert.True(ports.Count >= 6, host.Output);

        host.Kill();

        await Eventually.TrueAsync(
            () => processes.All(IsGone), Deadline, "every process of the host is gone", TestContext.Current.CancellationToken);
        Assert.All(ports, port => Assert.False(IsOpen(port), $"port {port} is still open"));
    }

    [Fact]
    public async Task Sigterm_stops_everything_in_order_and_the_host_ends_with_zero()
    {
        await using var host = await HostProcess.StartAsync();
        var processes = host.Descendants();

        using var kill = Process.Start("kill", ["-TERM", host.Id.ToString(CultureInfo.InvariantCulture)]);
        var exitCode = await host.WaitForExitAsync();

        Assert.Equal(0, exitCode);
        Assert.All(processes, process => Assert.True(IsGone(process), $"process {process} is left"));
        Assert.Contains("Distributed application started. Press Ctrl+C to shut down.", host.Output, StringComparison.Ordinal);
        var services = host.Output.LastIndexOf("Application is shutting down", StringComparison.Ordinal);
        var database = host.Output.IndexOf("received fast shutdown request", StringComparison.Ordinal);
        Assert.True(services >= 0 && services < database, "the services stop before the database");
    }

    private static bool IsGone(int processId)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{processId}/stat");
            return stat[(stat.LastIndexOf(')') + 2)..].StartsWith('Z');
        }
        catch (IOException)
        {
            return true;
        }
    }

    private static bool IsOpen(int port)
    {
        try
        {
            using var client = new TcpClient();
            client.Connect("127.0.0.1", port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    [GeneratedRegex(@"://localhost:(\d+)")]
    private static partial Regex LocalUrl();

    private sealed class HostProcess : IAsyncDisposable
    {
        private readonly Process _process;
        private readonly ConcurrentQueue<string> _lines = new();

        private HostProcess(Process process)
        {
            _process = process;
        }

        public int Id => _process.Id;

        public string Output => string.Join('\n', _lines);

        public static async Task<HostProcess> StartAsync()
        {
            var start = new ProcessStartInfo("dotnet")
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                Environment = { ["DOTNET_ENVIRONMENT"] = "Development" },
            };
            start.ArgumentList.Add(typeof(Projects.SampleAppHost).Assembly.Location);
            start.ArgumentList.Add("--DcpPublisher:RandomizePorts=true");
            var host = new HostProcess(new Process { StartInfo = start });
            host._process.OutputDataReceived += host.Read;
            host._process.ErrorDataReceived += host.Read;
            host._process.Start();
            host._process.BeginOutputReadLine();
            host._process.BeginErrorReadLine();
            try
            {
                await Eventually.TrueAsync(
                    () => host.Output.Contains("All healthy after", StringComparison.Ordinal) && host.Output.Contains("dashboard", StringComparison.Ordinal),
                    Deadline,
                    "the host reports that all is healthy",
                    TestContext.Current.CancellationToken);
                return host;
            }
            catch (TimeoutException exception)
            {
                await host.DisposeAsync();
                throw new TimeoutException($"{exception.Message}\n{host.Output}", exception);
            }
        }

        public void Kill() => _process.Kill();

        public async Task<int> WaitForExitAsync()
        {
            await _process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(Deadline, TestContext.Current.CancellationToken);
            return _process.ExitCode;
        }

        /// <summary>The ports in the host's list of resources.</summary>
        public IReadOnlyList<int> Ports() =>
            [.. LocalUrl().Matches(Output[Output.IndexOf("All healthy after", StringComparison.Ordinal)..])
                .Select(match => int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture))
                .Distinct()];

        public List<int> Descendants()
        {
            var parents = new Dictionary<int, int>();
            foreach (var folder in Directory.EnumerateDirectories("/proc"))
            {
                if (int.TryParse(Path.GetFileName(folder), out var id))
                {
                    try
                    {
                        var stat = File.ReadAllText($"{folder}/stat");
                        parents[id] = int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1], CultureInfo.InvariantCulture);
                    }
                    catch (IOException)
                    {
                        // Gone meanwhile.
                    }
                }
            }

            var found = new List<int>();
            for (var next = new Queue<int>([Id]); next.TryDequeue(out var parent);)
            {
                foreach (var child in parents.Where(pair => pair.Value == parent).Select(pair => pair.Key))
                {
                    found.Add(child);
                    next.Enqueue(child);
                }
            }

            return found;
        }

        public async ValueTask DisposeAsync()
        {
            if (!_process.HasExited)
            {
                _process.Kill();
                await _process.WaitForExitAsync(CancellationToken.None).WaitAsync(Deadline, CancellationToken.None);
            }

            _process.Dispose();
        }

        private void Read(object sender, DataReceivedEventArgs args)
        {
            if (args.Data is not null)
            {
                _lines.Enqueue(args.Data);
            }
        }
    }
}
