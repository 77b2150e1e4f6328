using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using AspireStreaming.TestSupport.Processes;
using Npgsql;

namespace AspireStreaming.TestSupport;

/// <summary>
/// A real PostgreSQL cluster in a temporary folder, listening on 127.0.0.1, for tests that stop, kill or freeze it. Ends,
/// and its folder goes, with the test process, whatever ends that.
/// </summary>
public sealed class PostgresProcess : IAsyncDisposable
{
    private const string Superuser = "postgres";
    private const string SuperuserPassword = "postgres-test";

    private static readonly TimeSpan InitTimeout = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(20);

    private readonly string _folder;
    private readonly bool _fsync;
    private GuardedProcess? _process;

    private PostgresProcess(int port, string folder, bool fsync)
    {
        Port = port;
        _folder = folder;
        _fsync = fsync;
    }

    public int Port { get; }

    /// <summary>Connection string of the maintenance database <c>postgres</c>, as superuser.</summary>
    public string ConnectionString => ConnectionStringFor("postgres");

    public int ProcessId => Process.Id;

    public bool IsRunning => _process is { HasExited: false };

    private GuardedProcess Process => _process ?? throw new InvalidOperationException("PostgreSQL is stopped.");

    private string DataFolder => Path.Combine(_folder, "data");

    private string LogFile => Path.Combine(_folder, "postgres.log");

    /// <summary>Initialises a new cluster, starts it and returns when it accepts connections.</summary>
    /// <param name="port">0: a free one.</param>
    /// <param name="fsync">Off only where a test measures something else and never kills the server.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public static async Task<PostgresProcess> StartAsync(int port = 0, bool fsync = true, CancellationToken cancellationToken = default)
    {
        var folder = Directory.CreateTempSubdirectory("postgres-test-").FullName;
        try
        {
            await InitialiseAsync(folder, cancellationToken);
            for (var attempt = 1; ; attempt++)
            {
                var postgres = new PostgresProcess(port == 0 ? ServerPorts.PickFree() : port, folder, fsync);
                try
                {
                    await postgres.StartAsync(cancellationToken);
                    return postgres;
                }
                catch (InvalidOperationException) when (port == 0 && attempt < 5)
                {
                    // Someone else took the port between the look and the start.
                }
            }
        }
        catch
        {
            Directory.Delete(folder, recursive: true);
            throw;
        }
    }

    /// <summary>Starts a stopped or killed server again on the same port and data; returns when recovery is done and it accepts connections.</summary>
    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        if (IsRunning)
        {
            throw new InvalidOperationException("PostgreSQL is running.");
        }

        await EndProcessAsync();
        string[] command =
        [
            .. PostgresBinaries.AsServerUser(), PostgresBinaries.Find("postgres"), "-D", DataFolder,
            "-p", Port.ToString(CultureInfo.InvariantCulture), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
            "-c", "shared_buffers=32MB", "-c", _fsync ? "fsync=on" : "fsync=off",
        ];
        _process = await GuardedProcess.StartAsync("QUIT", LogFile, _folder, command, cancellationToken);
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

    /// <summary>Fast, orderly shutdown (SIGINT): open transactions are rolled back, connections closed.</summary>
    public async Task StopAsync(CancellationToken cancellationToken = default)
    {
        if (_process is { } process)
        {
            await process.StopAsync(UnixSignals.Interrupt, StopTimeout, cancellationToken);
            await EndProcessAsync();
        }
    }

    /// <summary>SIGKILL to the server and all its backends; returns when it is dead. <see cref="StartAsync(CancellationToken)"/> brings it back.</summary>
    public void Kill() => Process.Kill();

    /// <summary>SIGSTOP to the server and all its backends: connections stay open, nothing answers.</summary>
    public void Suspend() => Process.Suspend();

    /// <summary>SIGCONT after <see cref="Suspend"/>.</summary>
    public void Resume() => Process.Resume();

    /// <summary>Stops the server if it runs and starts it on the same port and data.</summary>
    public async Task RestartAsync(CancellationToken cancellationToken = default)
    {
        await StopAsync(cancellationToken);
        await StartAsync(cancellationToken);
    }

    /// <summary>Creates an empty database and returns its connection string.</summary>
    public async Task<string> CreateDatabaseAsync(string name, CancellationToken cancellationToken = default)
    {
        await using var connection = new NpgsqlConnection(ConnectionString + ";Pooling=false");
        await connection.OpenAsync(cancellationToken);
        await using var command = connection.CreateCommand();
        // An identifier cannot be a parameter; tests name their own databases.
#pragma warning disable CA2100
        command.CommandText = $"CREATE DATABASE \"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
#pragma warning restore CA2100
        await command.ExecuteNonQueryAsync(cancellationToken);
        return ConnectionStringFor(name);
    }

    public async ValueTask DisposeAsync()
    {
        await EndProcessAsync();
        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    private static async Task InitialiseAsync(string folder, CancellationToken cancellationToken)
    {
        var passwordFile = Path.Combine(folder, "password");
        await File.WriteAllTextAsync(passwordFile, SuperuserPassword, cancellationToken);
        await RunAsync(PostgresBinaries.OwnedByServerUser(folder), cancellationToken);
        await RunAsync(
            [
                .. PostgresBinaries.AsServerUser(), PostgresBinaries.Find("initdb"), "-D", Path.Combine(folder, "data"), "-U", Superuser,
                "--pwfile", passwordFile, "--auth=scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions",
            ],
            cancellationToken);
    }

    private static async Task RunAsync(string[] command, CancellationToken cancellationToken)
    {
        if (command.Length == 0)
        {
            return;
        }

        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(InitTimeout);
        using var process = System.Diagnostics.Process.Start(
            new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true, RedirectStandardError = true })
            ?? throw new InvalidOperationException($"{command[0]} did not start.");
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(deadline.Token);
            var error = await process.StandardError.ReadToEndAsync(deadline.Token);
            await output;
            await process.WaitForExitAsync(deadline.Token);
            if (process.ExitCode != 0)
            {
                throw new InvalidOperationException($"{string.Join(' ', command)} failed: {error}");
            }
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
    }

    private string ConnectionStringFor(string database) => new NpgsqlConnectionStringBuilder
    {
        Host = "127.0.0.1",
        Port = Port,
        Username = Superuser,
        Password = SuperuserPassword,
        Database = database,
    }.ConnectionString;

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
        var start = TimeProvider.System.GetTimestamp();
        while (true)
        {
            Exception last;
            try
            {
                await using var connection = new NpgsqlConnection(ConnectionString + ";Pooling=false;Timeout=5");
                await connection.OpenAsync(cancellationToken);
                if (!Process.HasExited)
                {
                    return;
                }

                throw new InvalidOperationException($"Something else answers on port {Port}.");
            }
            catch (Exception exception) when (exception is NpgsqlException or SocketException or IOException or TimeoutException)
            {
                last = exception;
            }

            if (Process.HasExited || TimeProvider.System.GetElapsedTime(start) > StartTimeout)
            {
                var log = File.Exists(LogFile) ? await File.ReadAllTextAsync(LogFile, cancellationToken) : "(none)";
                throw new InvalidOperationException($"PostgreSQL did not start: {last.Message} Its log: {log}", last);
            }

            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, cancellationToken);
        }
    }
}
