namespace Aspire.Hosting.Local;

internal static class PostgresServer
{
    /// <summary>The system user that runs PostgreSQL when the host is root (which PostgreSQL refuses to be), else null.</summary>
    public static string? RunAsUser => null;

    public static Task<ProcessSpec> PrepareAsync(
        int port, string userName, string password, string dataFolder, Action<string, bool> onLine, CancellationToken cancellationToken) =>
        throw new NotImplementedException();
}
