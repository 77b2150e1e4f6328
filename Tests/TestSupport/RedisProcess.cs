using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using AspireStreaming.TestSupport.Processes;

namespace AspireStreaming.TestSupport;

/// <summary>
/// A real redis-server on 127.0.0.1 for tests that stop, kill, freeze or wipe it. Ends with the test process, whatever
/// ends that.
/// </summary>
public sealed class RedisProcess : IAsyncDisposable
{
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(10);

    private readonly string? _temporaryFolder;
    private readonly IReadOnlyList<string> _arguments;
    private GuardedProcess? _process;

    private RedisProcess(int port, string folder, string? temporaryFolder, string? password, IReadOnlyList<string> arguments)
    {
        Port = port;
        DataFolder = folder;
        Password = password;
        _temporaryFolder = temporaryFolder;
        _arguments = arguments;
    }

    /// <summary>What the next start puts before the program, such as <c>env NAME=value</c>; must replace itself by exec.</summary>
    public IReadOnlyList<string> Launcher { get; set; } = [];

    public int Port { get; }

    public string? Password { get; }

    /// <summary>Holds the log and, with persistence, the data.</summary>
    public string DataFolder { get; }

    /// <summary>As Aspire injects it: <c>127.0.0.1:port[,password=...]</c>.</summary>
    public string ConnectionString => Password is null ? $"127.0.0.1:{Port}" : $"127.0.0.1:{Port},password={Password}";

    public int ProcessId => Process.Id;

    public bool IsRunning => _process is { HasExited: false };

    private GuardedProcess Process => _process ?? throw new InvalidOperationException("redis-server is stopped.");

    private string LogFile => Path.Combine(DataFolder, "redis.log");

    /// <summary>Starts a server and returns when it answers.</summary>
    /// <param name="port">0: a free one.</param>
    /// <param name="dataFolder">With a folder, data persists in it (AOF everysec) and the folder stays; without, nothing persists.</param>
    /// <param name="password">Demanded from clients.</param>
    /// <param name="arguments">More of redis-server's options, such as <c>--maxmemory 16mb</c>, one word each.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public static async Task<RedisProcess> StartAsync(
        int port = 0,
        string? dataFolder = null,
        string? password = null,
        IReadOnlyList<string>? arguments = null,
        CancellationToken cancellationToken = default)
    {
        string[] persistence = dataFolder is null ? ["--save", "", "--appendonly", "no"] : ["--appendonly", "yes", "--appendfsync", "everysec"];
        string[] all = [.. persistence, .. arguments ?? []];
        var temporaryFolder = dataFolder is null ? Directory.CreateTempSubdirectory("redis-test-").FullName : null;
        var folder = dataFolder ?? temporaryFolder!;
        Directory.CreateDirectory(folder);

        for (var attempt = 1; ; attempt++)
        {
            var redis = new RedisProcess(port == 0 ? ServerPorts.PickFree() : port, folder, temporaryFolder, password, all);
            try
            {
                await redis.StartAsync(cancellationToken);
                return redis;
            }
            catch (InvalidOperationException) when (port == 0 && attempt < 5)
            {
                // Someone else took the port between the look and the start.
            }
        }
    }

    /// <summary>Starts a stopped or killed server again on the same port and folder; returns when it answers.</summary>
    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        if (IsRunning)
        {
            throw new InvalidOperationException("redis-server is running.");
        }

        await EndProcessAsync();
        string[] command =
        [
            .. Launcher, "redis-server", "--port", Port.ToString(CultureInfo.InvariantCulture), "--bind", "127.0.0.1", "--dir", DataFolder,
            "--daemonize", "no", .. Password is null ? Array.Empty<string>() : ["--requirepass", Password], .. _arguments,
        ];
        _process = await GuardedProcess.StartAsync("TERM", LogFile, _temporaryFolder, command, cancellationToken);
        try
        {
            await WaitUntilReadyAsync(cancellationToken);
        }
        catch
        {
            await EndProcessAsync();
            throw;
        }
    }

    /// <summary>Orderly shutdown (SIGTERM): with persistence, everything acknowledged is on disk.</summary>
    public async Task StopAsync(CancellationToken cancellationToken = default)
    {
        if (_process is { } process)
        {
            await process.StopAsync(UnixSignals.Terminate, StopTimeout, cancellationToken);
            await EndProcessAsync();
        }
    }

    /// <summary>SIGKILL; returns when the process is dead and its sockets are closed. <see cref="StartAsync(CancellationToken)"/> brings it back.</summary>
    public void Kill() => Process.Kill();

    /// <summary>SIGSTOP: connections stay open, nothing answers.</summary>
    public void Suspend() => Process.Suspend();

    /// <summary>SIGCONT after <see cref="Suspend"/>.</summary>
    public void Resume() => Process.Resume();

    /// <summary>Stops the server if it runs and starts it on the same port and folder.</summary>
    /// <param name="wipe">Also deletes what it had persisted.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task RestartAsync(bool wipe = false, CancellationToken cancellationToken = default)
    {
        await StopAsync(cancellationToken);
        if (wipe)
        {
            foreach (var entry in new DirectoryInfo(DataFolder).EnumerateFileSystemInfos())
            {
                if (entry is DirectoryInfo folder)
                {
                    folder.Delete(recursive: true);
                }
                else
                {
                    entry.Delete();
                }
            }
        }

        await StartAsync(cancellationToken);
    }

    /// <summary>Sends one command on a connection of its own and returns the raw first reply line (<c>+OK</c>, <c>:1</c>, <c>-ERR ...</c>).</summary>
    public async Task<string> SendAsync(string command, CancellationToken cancellationToken = default)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, Port, cancellationToken);
        using var reader = new StreamReader(client.GetStream(), Encoding.UTF8);
        if (Password is not null)
        {
            await client.GetStream().WriteAsync(Encoding.UTF8.GetBytes($"AUTH {Password}\r\n"), cancellationToken);
            await reader.ReadLineAsync(cancellationToken);
        }

        await client.GetStream().WriteAsync(Encoding.UTF8.GetBytes(command + "\r\n"), cancellationToken);
        return await reader.ReadLineAsync(cancellationToken) ?? "";
    }

    /// <summary>Sends one command on a connection of its own and returns its reply's text, such as what <c>INFO</c> says.</summary>
    public async Task<string> QueryAsync(string command, CancellationToken cancellationToken = default)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, Port, cancellationToken);
        using var reader = new StreamReader(client.GetStream(), Encoding.UTF8);
        var login = Password is null ? "" : $"AUTH {Password}\r\n";
        await client.GetStream().WriteAsync(Encoding.UTF8.GetBytes($"{login}{command}\r\nQUIT\r\n"), cancellationToken);
        return await reader.ReadToEndAsync(cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        await EndProcessAsync();
        if (_temporaryFolder is not null && Directory.Exists(_temporaryFolder))
        {
            Directory.Delete(_temporaryFolder, recursive: true);
        }
    }

    private async Task EndProcessAsync()
    {
        if (_process is { } process)
        {
            _process = null;
            await process.EndAsync(keepFolder: true);
        }
    }

    private async Task WaitUntilReadyAsync(CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(StartTimeout);
        while (true)
        {
            try
            {
                // Another server's answer must not count as ours: we are ready only while our process lives.
                if (await SendAsync("PING", deadline.Token) == "+PONG" && !Process.HasExited)
                {
                    return;
                }
            }
            catch (Exception exception) when (exception is SocketException or IOException)
            {
                // Not listening yet.
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                throw new InvalidOperationException($"redis-server did not answer within {StartTimeout}. Its log: {ReadLog()}");
            }

            if (Process.HasExited)
            {
                throw new InvalidOperationException($"redis-server ended at its start. Its log: {ReadLog()}");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System, cancellationToken);
        }
    }

    private string ReadLog() => File.Exists(LogFile) ? File.ReadAllText(LogFile) : "(none)";
}
