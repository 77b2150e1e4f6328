namespace Aspire.Hosting.Local;

/// <summary>What a server needs of an environment; nothing of the developer's shell gets into it.</summary>
internal static class ServerEnvironment
{
    public static IReadOnlyDictionary<string, string> Create(string home) => new Dictionary<string, string>
    {
        ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        ["HOME"] = home,
        ["LANG"] = "C",
        ["LC_ALL"] = "C",
        ["TZ"] = "UTC",
    };
}
