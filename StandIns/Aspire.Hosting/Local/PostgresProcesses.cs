namespace Aspire.Hosting.Local;

/// <summary>The processes of a PostgreSQL server are told by their working directory, which is the server's data directory.</summary>
internal static class PostgresProcesses
{
    public static bool IsServerOf(int id, string dataDirectory)
    {
        if (id <= 0 || !Posix.Exists(id))
        {
            return false;
        }

        return OperatingSystem.IsLinux()
            ? WorksIn(id, dataDirectory)
            : ShortCommand.Run("ps", "-o", "args=", "-p", $"{id}").Output.Contains(dataDirectory, StringComparison.Ordinal);
    }

    public static List<int> In(string dataDirectory) =>
        OperatingSystem.IsLinux()
            ? [.. Directory.EnumerateDirectories("/proc")
                .Select(folder => int.TryParse(Path.GetFileName(folder), out var id) ? id : 0)
                .Where(id => id > 0 && WorksIn(id, dataDirectory))]
            : [];

    private static bool WorksIn(int id, string dataDirectory)
    {
        try
        {
            return new FileInfo($"/proc/{id}/cwd").LinkTarget == dataDirectory
                && File.ReadAllText($"/proc/{id}/comm").StartsWith("postgres", StringComparison.Ordinal);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Gone by now, or another user's.
            return false;
        }
    }
}
