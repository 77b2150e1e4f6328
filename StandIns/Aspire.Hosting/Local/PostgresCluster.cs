using System.Text;

namespace Aspire.Hosting.Local;

/// <summary>The files of one PostgreSQL server and the programs that work on them.</summary>
internal sealed class PostgresCluster
{
    private const int KeptLines = 50;

    private readonly string? _runAsUser;
    private readonly SystemUser? _user;
    private readonly Action<string, bool> _onLine;
    private readonly string _initdb;
    private readonly string _postgres;

    public PostgresCluster(string folder, string? runAsUser, Action<string, bool> onLine)
    {
        Folder = Path.GetFullPath(folder);
        _runAsUser = runAsUser;
        _user = SystemUser.ForProcess(runAsUser);
        _onLine = onLine;

        // A link on PATH may lead to either of several versions; the two programs must be of the same one.
        var initdb = LocalBinaries.Find("initdb");
        _initdb = File.ResolveLinkTarget(initdb, returnFinalTarget: true)?.FullName ?? initdb;
        var beside = Path.Combine(Path.GetDirectoryName(_initdb)!, "postgres");
        _postgres = LocalBinaries.IsExecutable(beside) ? beside : LocalBinaries.Find("postgres");
    }

    public string Folder { get; }

    public string DataDirectory => Path.Combine(Folder, "data");

    public ProcessSpec Command(IReadOnlyList<string> arguments) =>
        new(_postgres, arguments, Folder, ServerEnvironment.Create(Folder), _runAsUser)
        {
            // Fast shutdown; TERM would wait for clients to leave. The server tells its own children.
            StopSignal = ProcessSignal.Int,
            StopsWholeGroup = false,
        };

    /// <summary>Creates the cluster under another name first: what a killed attempt leaves is never taken for a cluster.</summary>
    public async Task InitializeAsync(string userName, string password, CancellationToken cancellationToken)
    {
        var unfinished = Path.Combine(Folder, "data.unfinished");
        if (Directory.Exists(unfinished))
        {
            Directory.Delete(unfinished, recursive: true);
        }

        if (_user is not null)
        {
            Posix.ChangeOwner(Folder, _user);
        }

        var passwordFile = Path.Combine(Folder, "initial-password");
        PrivateFile.Write(passwordFile, $"{password}\n", _user);
        try
        {
            List<string> arguments =
            [
                "-D", unfinished,
                "-U", userName,
                $"--pwfile={passwordFile}",
                "--auth-host=scram-sha-256",
                "--auth-local=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
            ];
            if (DataFolders.IsTemporary(Folder))
            {
                arguments.Add("--no-sync");
            }

            var environment = ServerEnvironment.Create(Folder);
            await RunAsync(new ProcessSpec(_initdb, arguments, Folder, environment, _runAsUser), "initdb", cancellationToken);
            Directory.Move(unfinished, DataDirectory);
        }
        finally
        {
            File.Delete(passwordFile);
        }
    }

    public void CheckVersion()
    {
        var dataVersion = File.ReadAllText(Path.Combine(DataDirectory, "PG_VERSION")).Trim();
        var programVersion = ShortCommand.Run(_postgres, "--version").Output.Split(' ').FirstOrDefault(word => char.IsAsciiDigit(word[0])) ?? "";
        if (string.Concat(programVersion.TakeWhile(char.IsAsciiDigit)) != dataVersion)
        {
            throw new DistributedApplicationException(
                $"The data in {DataDirectory} was made by PostgreSQL {dataVersion}, this machine has {programVersion}. "
                + "Install that version, or remove the folder (which loses the data).");
        }
    }

    /// <summary>
    /// Runs statements, each without a line break, with no server running and no password asked. To create what exists is no error.
    /// </summary>
    public async Task RunAloneAsync(IReadOnlyList<string> statements, CancellationToken cancellationToken)
    {
        var script = Path.Combine(Folder, "statements.sql");
        PrivateFile.Write(script, string.Concat(statements.Select(statement => $"{statement};\n")), _user);
        try
        {
            var server = Command(
            [
                "-c", "exec \"$0\" --single -D \"$1\" -c password_encryption=scram-sha-256 -c log_min_error_statement=panic template1 <\"$2\"",
                _postgres,
                DataDirectory,
                script,
            ]) with
            { FileName = "/bin/sh" };
            await RunAsync(server, "postgres --single", cancellationToken);
        }
        finally
        {
            File.Delete(script);
        }
    }

    /// <summary>What these tools print is of interest only if they fail.</summary>
    private async Task RunAsync(ProcessSpec spec, string name, CancellationToken cancellationToken)
    {
        var lines = new Queue<(string Line, bool IsError)>();
        var failed = false;
        await using var process = GuardedProcess.Start(spec, (line, isError) =>
        {
            // Alone, the server goes on after a failed statement and ends with success.
            failed |= isError
                && (line.Contains("ERROR:", StringComparison.Ordinal) || line.Contains("FATAL:", StringComparison.Ordinal))
                && !line.EndsWith(" already exists", StringComparison.Ordinal);
            lines.Enqueue((line, isError));
            if (lines.Count > KeptLines)
            {
                lines.Dequeue();
            }
        });
        var exitCode = await process.Exited.WaitAsync(cancellationToken);
        if (exitCode == 0 && !failed)
        {
            return;
        }

        var text = new StringBuilder();
        foreach (var (line, isError) in lines)
        {
            _onLine(line, isError);
            text.AppendLine().Append("  ").Append(line);
        }

        throw new DistributedApplicationException($"{name} failed with exit code {exitCode}:{text}");
    }
}
