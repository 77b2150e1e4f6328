using System.Globalization;

namespace Aspire.Hosting.Local;

/// <summary>Finds programs of this machine: on PATH, then where packages put what they keep off PATH.</summary>
internal static class LocalBinaries
{
    private static readonly string[] UsualFolders =
        ["/usr/local/bin", "/usr/local/sbin", "/usr/bin", "/usr/sbin", "/bin", "/sbin", "/opt/homebrew/bin", "/opt/homebrew/sbin"];

    // Parents of one folder per version, each with a bin folder in it.
    private static readonly (string Parent, string Pattern)[] VersionedFolders =
    [
        ("/usr/lib/postgresql", "*"),
        ("/usr", "pgsql-*"),
        ("/opt/homebrew/opt", "postgresql*"),
        ("/usr/local/opt", "postgresql*"),
        ("/Library/PostgreSQL", "*"),
    ];

    /// <summary>The full path of a program of this machine.</summary>
    /// <exception cref="DistributedApplicationException">It is missing; the message says how to install it.</exception>
    public static string Find(string name) => TryFind(name) ?? throw new DistributedApplicationException(MissingText(name));

    public static string? TryFind(string name) =>
        Find(name, Environment.GetEnvironmentVariable("PATH"))
        // A drop-in replacement that some distributions ship instead.
        ?? (name == "redis-server" ? Find("valkey-server", Environment.GetEnvironmentVariable("PATH")) : null);

    internal static string? Find(string name, string? path) =>
        (path ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries)
            .Where(Path.IsPathRooted)
            .Concat(UsualFolders)
            .Concat(VersionedFolders.SelectMany(folder => NewestFirst(folder.Parent, folder.Pattern)))
            .Select(folder => Path.Combine(folder, name))
            .FirstOrDefault(IsExecutable);

    internal static string MissingText(string name) => name switch
    {
        "redis-server" => Text(name, "A Redis resource", "redis-server", "redis", "redis"),
        "postgres" or "initdb" => Text(name, "A PostgreSQL resource", "postgresql", "postgresql-server", "postgresql"),
        _ => $"The program '{name}' was not found, neither on PATH nor in the usual folders. Install it or add its folder to PATH.",
    };

    internal static bool IsExecutable(string file)
    {
        const UnixFileMode AnyExecute = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
        return File.Exists(file) && (OperatingSystem.IsWindows() || (File.GetUnixFileMode(file) & AnyExecute) != 0);
    }

    private static string Text(string name, string user, string debian, string fedora, string homebrew) =>
        $"""
        {user} runs here as a local process and needs the program '{name}', which was found neither on PATH nor in the usual folders. Install it:
          Debian, Ubuntu:  sudo apt-get install -y {debian}
          Fedora:          sudo dnf install -y {fedora}
          macOS:           brew install {homebrew}
        """;

    private static IEnumerable<string> NewestFirst(string parent, string pattern) =>
        Directory.Exists(parent)
            ? Directory.EnumerateDirectories(parent, pattern).OrderByDescending(VersionOf).Select(folder => Path.Combine(folder, "bin"))
            : [];

    private static double VersionOf(string folder)
    {
        var digits = Path.GetFileName(folder).SkipWhile(c => !char.IsAsciiDigit(c)).TakeWhile(c => char.IsAsciiDigit(c) || c == '.');
        return double.TryParse(string.Concat(digits), CultureInfo.InvariantCulture, out var version) ? version : 0;
    }
}
