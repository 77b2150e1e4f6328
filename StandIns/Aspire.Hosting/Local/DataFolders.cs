using System.Security.Cryptography;
using System.Text;

namespace Aspire.Hosting.Local;

/// <summary>Where local servers keep their data: private to the user that runs them.</summary>
internal static class DataFolders
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private const UnixFileMode Passable = Private
        | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    // World-writable with the sticky bit on every system, and survives a reboot.
    private const string FallbackParent = "/var/tmp";

    /// <summary>
    /// A folder that survives the host, for a named volume. <paramref name="log"/> hears where it is if that isn't beside the AppHost.
    /// </summary>
    public static string ForVolume(string appHostDirectory, string volumeName, string? runAsUser, Action<string>? log = null)
    {
        if (volumeName.Length == 0 || volumeName[0] == '.' || !volumeName.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-'))
        {
            throw new ArgumentException($"'{volumeName}' cannot name a volume: use letters, digits, '.', '_' and '-'.", nameof(volumeName));
        }

        var user = SystemUser.ForProcess(runAsUser);
        var root = Path.GetFullPath(Path.Combine(appHostDirectory, "..", ".data"));
        if (!Directory.Exists(root))
        {
            CreatePassable(root);
        }

        if (user?.CanEnter(root) == false)
        {
            var fallback = Path.Combine(FallbackParent, $"aspire-volumes-{ShortHash(root)}");
            log?.Invoke($"User '{user.Name}', who runs the server because it refuses root, cannot reach {root}; its data is in {fallback}.");
            root = fallback;
            CreateOwn(root);
        }

        var folder = Path.Combine(root, volumeName);
        CreatePrivate(folder, user);
        return folder;
    }

    /// <summary>A folder that goes away with the host, also when that is killed.</summary>
    public static string Temporary(string prefix, string? runAsUser)
    {
        var user = SystemUser.ForProcess(runAsUser);
        var folder = Directory.CreateTempSubdirectory($"{prefix}-").FullName;
        if (user is not null)
        {
            if (!user.CanEnter(Path.GetDirectoryName(folder)!))
            {
                Directory.Delete(folder);
                folder = Path.Combine(FallbackParent, $"{prefix}-{RandomNumberGenerator.GetHexString(12, lowercase: true)}");
            }

            CreatePrivate(folder, user);
        }

        TemporaryFolders.Add(folder);
        return folder;
    }

    /// <summary>Removes a temporary folder before the host ends.</summary>
    public static void Delete(string temporaryFolder) => TemporaryFolders.Delete(temporaryFolder);

    public static bool IsTemporary(string folder) => TemporaryFolders.Contains(folder);

    /// <summary>Whatever the umask says, another user may have to pass through. The volumes in it are private.</summary>
    private static void CreatePassable(string folder)
    {
        Directory.CreateDirectory(folder);
        File.SetUnixFileMode(folder, Passable);
    }

    private static void CreatePrivate(string folder, SystemUser? user)
    {
        Directory.CreateDirectory(folder, Private);
        if (user is not null)
        {
            Posix.ChangeOwner(folder, user);
        }
    }

    /// <summary>In a folder where everybody can write, a name that others can foresee may be theirs already.</summary>
    private static void CreateOwn(string folder)
    {
        Directory.CreateDirectory(folder);
        if (ShortCommand.Run("/bin/sh", "-c", "[ -O \"$1\" ] && [ ! -L \"$1\" ]", "sh", folder).ExitCode != 0)
        {
            throw new DistributedApplicationException(
                $"{folder} belongs to another user; remove it, or move the repository to where every user can enter.");
        }

        File.SetUnixFileMode(folder, Passable);
    }

    private static string ShortHash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..12];
}
