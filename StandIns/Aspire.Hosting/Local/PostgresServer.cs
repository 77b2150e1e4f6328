using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace Aspire.Hosting.Local;

/// <summary>
/// Runs this machine's PostgreSQL as the container image would: a cluster made on first use, one superuser with a password
/// (asked for on every connection), loopback only. Database files are in <c>data</c> inside the data folder.
/// </summary>
internal static class PostgresServer
{
    // What a socket's address has room for, less the name of the longest socket.
    private const int MaxSocketFolderLength = 103 - 15;

    private static readonly TimeSpan PredecessorDeadline = TimeSpan.FromSeconds(8);

    private static readonly Lazy<string?> User = new(FindUser);

    /// <summary>The system user that runs PostgreSQL when the host is root (which PostgreSQL refuses to be), else null.</summary>
    public static string? RunAsUser => User.Value;

    /// <summary>
    /// Creates the database cluster if there is none yet, clears away what a killed predecessor left, and makes the given
    /// credentials the valid ones.
    /// </summary>
    public static async Task<ProcessSpec> PrepareAsync(
        int port, string userName, string password, string dataFolder, Action<string, bool> onLine, CancellationToken cancellationToken)
    {
        if (userName.Length == 0 || userName.Concat(password).Any(char.IsControl))
        {
            throw new DistributedApplicationException(
                "User name and password of a PostgreSQL server cannot have control characters, nor the name be empty.");
        }

        var cluster = new PostgresCluster(dataFolder, RunAsUser, onLine);
        var isNew = !Directory.Exists(cluster.DataDirectory);
        if (isNew)
        {
            await cluster.InitializeAsync(userName, password, cancellationToken);
        }
        else
        {
            cluster.CheckVersion();
            await ReleaseFromPredecessorAsync(cluster.DataDirectory, cancellationToken);
        }

        await SetCredentialsAsync(cluster, isNew, userName, password, cancellationToken);
        return cluster.Command(
        [
            "-D", cluster.DataDirectory,
            "-p", port.ToString(CultureInfo.InvariantCulture),
            "-c", $"listen_addresses={ListenAddresses()}",
            "-c", $"unix_socket_directories={(Encoding.UTF8.GetByteCount(dataFolder) <= MaxSocketFolderLength ? QuoteListItem(dataFolder) : "")}",
            "-c", "max_connections=200",
            "-c", "shared_buffers=128MB",
            // Only a crash of the machine could lose anything by it, and that takes temporary data anyway.
            .. DataFolders.IsTemporary(dataFolder) ? (IEnumerable<string>)["-c", "fsync=off"] : [],
        ]);
    }

    /// <summary>
    /// The password of a volume is the one given at its creation, in the container too; there, a changed password locks one out.
    /// Here the owner of the files simply sets it. A fingerprint beside the data tells when that is needed.
    /// </summary>
    private static async Task SetCredentialsAsync(
        PostgresCluster cluster, bool isNew, string userName, string password, CancellationToken cancellationToken)
    {
        var file = Path.Combine(cluster.Folder, "credentials");
        var fingerprint = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{userName}\n{password}")));
        var isSet = isNew ? userName == "postgres" : File.Exists(file) && await File.ReadAllTextAsync(file, cancellationToken) == fingerprint;
        if (!isSet)
        {
            await cluster.RunAloneAsync(
                [
                    $"CREATE ROLE {QuoteName(userName)}",
                    $"ALTER ROLE {QuoteName(userName)} WITH SUPERUSER LOGIN PASSWORD {QuoteText(password)}",
                    // A client that names no database gets the one named after its user.
                    $"CREATE DATABASE {QuoteName(userName)}",
                ],
                cancellationToken);
        }

        PrivateFile.Write(file, fingerprint);
    }

    /// <summary>
    /// PostgreSQL won't start on a lock file whose process number is in use, by whatever process that may be today, nor while
    /// backends of a killed server still hold its shared memory.
    /// </summary>
    private static async Task ReleaseFromPredecessorAsync(string dataDirectory, CancellationToken cancellationToken)
    {
        var lockFile = Path.Combine(dataDirectory, "postmaster.pid");
        if (!File.Exists(lockFile))
        {
            return;
        }

        // A predecessor whose host was killed a moment ago is being ended by its guardian.
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(PredecessorDeadline);
        try
        {
            while (File.Exists(lockFile) && ServerOf(lockFile, dataDirectory) is not null)
            {
                await Task.Delay(100, deadline.Token);
            }

            if (File.Exists(lockFile))
            {
                while (PostgresProcesses.In(dataDirectory) is { Count: > 0 } backends)
                {
                    backends.ForEach(id => Posix.Send(id, ProcessSignal.Kill));
                    await Task.Delay(50, deadline.Token);
                }

                File.Delete(lockFile);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new DistributedApplicationException(
                $"The data in {dataDirectory} is in use by another PostgreSQL server (process {ServerOf(lockFile, dataDirectory)}). "
                + "Is the AppHost already running?");
        }
    }

    private static int? ServerOf(string lockFile, string dataDirectory)
    {
        try
        {
            return int.TryParse(File.ReadLines(lockFile).FirstOrDefault(), CultureInfo.InvariantCulture, out var id)
                && PostgresProcesses.IsServerOf(id, dataDirectory) ? id : null;
        }
        catch (FileNotFoundException)
        {
            return null;
        }
    }

    private static string? FindUser() =>
        !Environment.IsPrivilegedProcess || OperatingSystem.IsWindows() ? null : SystemUser.Find("postgres") is null ? "nobody" : "postgres";

    private static string ListenAddresses()
    {
        try
        {
            using var socket = new Socket(AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(IPAddress.IPv6Loopback, 0));
            return "127.0.0.1,::1";
        }
        catch (SocketException)
        {
            return "127.0.0.1";
        }
    }

    private static string QuoteName(string name) => $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    private static string QuoteText(string text) => $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";

    private static string QuoteListItem(string item) => QuoteName(item);
}
