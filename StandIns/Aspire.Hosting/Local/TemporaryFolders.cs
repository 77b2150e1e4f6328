using System.Collections.Concurrent;
using System.Diagnostics;

namespace Aspire.Hosting.Local;

/// <summary>
/// Folders that go away with the host: a small shell learns their names by a pipe and removes them when that pipe ends, which it
/// does however the host ends. It waits until the guardians (see <see cref="ProcessLauncher"/>) have ended the programs in them.
/// </summary>
internal static class TemporaryFolders
{
    private const string RemovalScript =
        """
        cd /
        exec >/dev/null 2>&1
        while IFS= read -r folder; do set -- "$@" "$folder"; done
        found=
        for folder do [ -d "$folder" ] && found=yes; done
        [ "$found" ] || exit 0
        sleep 3
        n=0
        until rm -rf -- "$@" || [ $n -ge 20 ]; do sleep 0.5; n=$((n + 1)); done
        """;

    private static readonly ConcurrentDictionary<string, bool> Folders = new(StringComparer.Ordinal);
    private static readonly Lock RemoverLock = new();
    private static Process? _remover;

    public static bool Contains(string folder) => Folders.ContainsKey(folder);

    public static void Add(string folder)
    {
        lock (RemoverLock)
        {
            _remover ??= StartRemover();
            _remover.StandardInput.Write($"{folder}\n");
            _remover.StandardInput.Flush();
        }

        Folders[folder] = true;
    }

    public static void Delete(string folder)
    {
        if (Folders.TryRemove(folder, out _) && Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static Process StartRemover()
    {
        var command = ProcessLauncher.NewSession();
        command.AddRange(["/bin/sh", "-c", RemovalScript, "aspire-folders"]);
        var start = new ProcessStartInfo(command[0], command.Skip(1))
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = "/",
        };
        return Process.Start(start) ?? throw new DistributedApplicationException("The remover of temporary folders did not start.");
    }
}
