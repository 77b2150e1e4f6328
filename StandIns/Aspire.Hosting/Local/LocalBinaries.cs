namespace Aspire.Hosting.Local;

internal static class LocalBinaries
{
    /// <summary>The full path of a program of this machine.</summary>
    public static string Find(string name) => throw new NotImplementedException();
}
