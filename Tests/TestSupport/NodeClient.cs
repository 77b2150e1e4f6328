using AspireStreaming.TestSupport.Processes;

namespace AspireStreaming.TestSupport;

/// <summary>
/// Runs scripts under node with the packages of Tests/interop (@grpc/grpc-js among them): clients that this repository did not
/// write. The packages are installed into artifacts/interop when they are not there yet.
/// </summary>
public static class NodeClient
{
    /// <summary>The longest that a script may run unless the caller says otherwise.</summary>
    public static readonly TimeSpan DefaultDeadline = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan InstallDeadline = TimeSpan.FromMinutes(3);
    private static readonly string SourceFolder = Path.Combine(RepositoryPaths.Root, "Tests", "interop");
    private static readonly string InstallFolder = Path.Combine(RepositoryPaths.Artifacts, "interop");

    /// <summary>Why no script can run on this machine, for <c>Assert.SkipWhen</c>; null: they can.</summary>
    public static string? UnavailableReason { get; } =
        !IsOnPath("node") ? "node is not installed" :
        !IsOnPath("npm") ? "npm is not installed" :
        null;

    /// <inheritdoc cref="RunAsync(string, IEnumerable{string}, TimeSpan, CancellationToken)"/>
    public static Task<NodeResult> RunAsync(string scriptPath, IEnumerable<string> arguments, CancellationToken cancellationToken) =>
        RunAsync(scriptPath, arguments, DefaultDeadline, cancellationToken);

    /// <summary>Runs a CommonJS script; its <c>require</c> finds the packages wherever the script lies.</summary>
    /// <param name="scriptPath">Relative to the test's output folder, or absolute.</param>
    /// <param name="arguments">What the script finds from <c>process.argv[2]</c> on.</param>
    /// <param name="deadline">The script is killed with its children when it takes longer; installing does not count.</param>
    /// <param name="cancellationToken">Kills the script.</param>
    /// <exception cref="TimeoutException">The deadline passed; the message has what the script printed until then.</exception>
    public static async Task<NodeResult> RunAsync(
        string scriptPath, IEnumerable<string> arguments, TimeSpan deadline, CancellationToken cancellationToken)
    {
        if (UnavailableReason is not null)
        {
            throw new InvalidOperationException(UnavailableReason);
        }

        await InstallAsync(cancellationToken);
        var script = Path.GetFullPath(scriptPath, AppContext.BaseDirectory);
        return await BoundedProcess.RunAsync(
            "node",
            [script, .. arguments],
            Path.GetDirectoryName(script)!,
            new Dictionary<string, string> { ["NODE_PATH"] = Path.Combine(InstallFolder, "node_modules") },
            deadline,
            cancellationToken);
    }

    private static async Task InstallAsync(CancellationToken cancellationToken)
    {
        // A copy of the lock file, made last, says which packages are there in full.
        var wanted = await File.ReadAllTextAsync(Path.Combine(SourceFolder, "package-lock.json"), cancellationToken);
        var installed = Path.Combine(InstallFolder, "installed.json");
        if (await IsInstalledAsync())
        {
            return;
        }

        Directory.CreateDirectory(InstallFolder);
        await using var installLock = await AcquireInstallLockAsync(cancellationToken);
        if (await IsInstalledAsync())
        {
            return;
        }

        File.Delete(installed);
        foreach (var name in (string[])["package.json", "package-lock.json"])
        {
            File.Copy(Path.Combine(SourceFolder, name), Path.Combine(InstallFolder, name), overwrite: true);
        }

        var result = await BoundedProcess.RunAsync(
            "npm",
            ["ci", "--no-audit", "--no-fund", "--prefer-offline", "--ignore-scripts"],
            InstallFolder,
            new Dictionary<string, string>(),
            InstallDeadline,
            cancellationToken);
        if (result.ExitCode != 0)
        {
            throw new InvalidOperationException($"npm ci ended with {result.ExitCode}: {result.StandardError}{result.StandardOutput}");
        }

        await File.WriteAllTextAsync(installed, wanted, cancellationToken);

        async Task<bool> IsInstalledAsync() =>
            File.Exists(installed) && await File.ReadAllTextAsync(installed, cancellationToken) == wanted;
    }

    /// <summary>Test projects run side by side in processes of their own: an open file that nobody else may open is the lock.</summary>
    private static async Task<FileStream> AcquireInstallLockAsync(CancellationToken cancellationToken)
    {
        FileStream? file = null;
        await Eventually.TrueAsync(
            () =>
            {
                try
                {
                    file = new FileStream(Path.Combine(InstallFolder, "install.lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
                    return true;
                }
                catch (IOException)
                {
                    return false;
                }
            },
            InstallDeadline,
            "no other process is installing the interop packages",
            cancellationToken);
        return file!;
    }

    private static bool IsOnPath(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "")
            .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Any(folder => File.Exists(Path.Combine(folder, program)));
}
