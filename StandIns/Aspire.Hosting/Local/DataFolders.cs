namespace Aspire.Hosting.Local;

internal static class DataFolders
{
    /// <summary>A folder that survives the host, for a named volume. <paramref name="log"/> hears where it is if that isn't beside the AppHost.</summary>
    public static string ForVolume(string appHostDirectory, string volumeName, string? runAsUser, Action<string>? log = null) =>
        throw new NotImplementedException();

    /// <summary>A folder that goes away with the host, also when that is killed.</summary>
    public static string Temporary(string prefix, string? runAsUser) => throw new NotImplementedException();

    /// <summary>Removes a temporary folder before the host ends.</summary>
    public static void Delete(string temporaryFolder) => throw new NotImplementedException();
}
