namespace Aspire.Hosting.Local;

internal static class RedisServer
{
    public static ProcessSpec Prepare(int port, string? password, string dataFolder, IReadOnlyList<string> extraArgs) =>
        throw new NotImplementedException();
}
