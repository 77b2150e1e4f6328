namespace AspireStreaming.TestSupport.Processes;

/// <summary>Where the server's programs are, and as whom they run: PostgreSQL refuses to run as root.</summary>
internal static class PostgresBinaries
{
    private const string DebianRoot = "/usr/lib/postgresql";

    /// <summary>From <c>POSTGRES_BIN</c>, else the newest version under Debian's folder, else the PATH.</summary>
    public static string Find(string program)
    {
        if (Environment.GetEnvironmentVariable("POSTGRES_BIN") is { Length: > 0 } folder)
        {
            return Path.Combine(folder, program);
        }

        if (Directory.Exists(DebianRoot))
        {
            var newest = Directory.EnumerateDirectories(DebianRoot)
                .Where(path => int.TryParse(Path.GetFileName(path), out _) && File.Exists(Path.Combine(path, "bin", program)))
                .MaxBy(path => int.Parse(Path.GetFileName(path), System.Globalization.CultureInfo.InvariantCulture));
            if (newest is not null)
            {
                return Path.Combine(newest, "bin", program);
            }
        }

        return program;
    }

    /// <summary>The prefix of a command line that gives up root; it replaces itself by exec. Empty if we are not root.</summary>
    public static string[] AsServerUser() =>
        Environment.IsPrivilegedProcess ? ["setpriv", $"--reuid={ServerUser}", "--regid=" + ServerGroup, "--clear-groups"] : [];

    /// <summary>The command that hands a folder to the server's user; empty if we are not root.</summary>
    public static string[] OwnedByServerUser(string folder) =>
        Environment.IsPrivilegedProcess ? ["chown", "-R", $"{ServerUser}:{ServerGroup}", folder] : [];

    private static string ServerUser => HasPostgresUser ? "postgres" : "nobody";

    private static string ServerGroup => HasPostgresUser ? "postgres" : "nogroup";

    private static bool HasPostgresUser =>
        File.ReadLines("/etc/passwd").Any(line => line.StartsWith("postgres:", StringComparison.Ordinal));
}
