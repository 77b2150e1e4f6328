using System.Collections.Concurrent;
using System.Globalization;
using System.Text;

namespace Aspire.Hosting.Local;

/// <summary>Runs this machine's <c>redis-server</c> as the container image would: loopback only, in the foreground, with a password.</summary>
internal static class RedisServer
{
    private const int OldestMajorVersion = 7;

    private static readonly ConcurrentDictionary<string, string> Versions = new(StringComparer.Ordinal);

    /// <summary>Writes the server's configuration into the data folder (a password on the command line would show in <c>ps</c>).</summary>
    public static ProcessSpec Prepare(int port, string? password, string dataFolder, IReadOnlyList<string> extraArgs)
    {
        var binary = LocalBinaries.Find("redis-server");
        CheckVersion(Versions.GetOrAdd(binary, static file => ShortCommand.Run(file, "--version").Output), binary);

        var configuration = new StringBuilder()
            .AppendLine("bind 127.0.0.1 -::1")
            .AppendLine(CultureInfo.InvariantCulture, $"port {port}")
            .AppendLine("daemonize no")
            .AppendLine("supervised no")
            .AppendLine("logfile \"\"")
            .AppendLine("always-show-logo no")
            .AppendLine(CultureInfo.InvariantCulture, $"dir {Quote(dataFolder)}");
        if (!string.IsNullOrEmpty(password))
        {
            configuration.AppendLine(CultureInfo.InvariantCulture, $"requirepass {Quote(password)}");
        }

        var file = Path.Combine(dataFolder, "redis.conf");
        PrivateFile.Write(file, configuration.ToString());
        return new ProcessSpec(binary, [file, .. extraArgs], dataFolder, ServerEnvironment.Create(dataFolder));
    }

    internal static void CheckVersion(string output, string binary)
    {
        var version = output.Split(' ').FirstOrDefault(word => word.StartsWith("v=", StringComparison.Ordinal))?[2..];
        if (version is null || !int.TryParse(version.Split('.')[0], CultureInfo.InvariantCulture, out var major))
        {
            throw new DistributedApplicationException($"'{binary} --version' answered \"{output}\", which names no version of Redis.");
        }

        if (major < OldestMajorVersion)
        {
            throw new DistributedApplicationException($"{binary} is Redis {version}; version {OldestMajorVersion} or later is needed.");
        }
    }

    /// <summary>Any bytes, in the quoting that Redis reads back.</summary>
    internal static string Quote(string text)
    {
        var quoted = new StringBuilder("\"");
        foreach (var b in Encoding.UTF8.GetBytes(text))
        {
            if (b is >= 0x20 and < 0x7F and not (byte)'"' and not (byte)'\\')
            {
                quoted.Append((char)b);
            }
            else
            {
                quoted.Append(CultureInfo.InvariantCulture, $"\\x{b:x2}");
            }
        }

        return quoted.Append('"').ToString();
    }
}
