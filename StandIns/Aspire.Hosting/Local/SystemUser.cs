using System.Collections.Concurrent;
using System.Globalization;

namespace Aspire.Hosting.Local;

/// <summary>A user of this machine that a program can be run as when the host is root.</summary>
internal sealed record SystemUser(string Name, int UserId, int GroupId)
{
    private static readonly ConcurrentDictionary<string, SystemUser?> Known = new(StringComparer.Ordinal);

    /// <summary>Null if there is no such user.</summary>
    public static SystemUser? Find(string name) => Known.GetOrAdd(name, static name =>
    {
        var (userExit, user) = ShortCommand.Run("id", "-u", "--", name);
        var (groupExit, group) = ShortCommand.Run("id", "-g", "--", name);
        return userExit == 0 && groupExit == 0
            ? new SystemUser(name, int.Parse(user, CultureInfo.InvariantCulture), int.Parse(group, CultureInfo.InvariantCulture))
            : null;
    });

    /// <summary>The user that is meant by a <see cref="ProcessSpec.RunAsUser"/>: null if the program simply runs as the host does.</summary>
    public static SystemUser? ForProcess(string? name)
    {
        if (name is null || !Environment.IsPrivilegedProcess)
        {
            return null;
        }

        return Find(name) ?? throw new DistributedApplicationException($"There is no user '{name}' on this machine to run the program as.");
    }

    /// <summary>What stands before a command to run it as this user; it replaces itself by the command.</summary>
    public IReadOnlyList<string> CommandPrefix()
    {
        var setpriv = LocalBinaries.TryFind("setpriv")
            ?? throw new DistributedApplicationException(
                $"Running a program as user '{Name}' needs 'setpriv' (package util-linux), which is not on this machine. "
                + "Install it, or run the host as an ordinary user instead of root.");
        return
        [
            setpriv,
            "--reuid", UserId.ToString(CultureInfo.InvariantCulture),
            "--regid", GroupId.ToString(CultureInfo.InvariantCulture),
            "--init-groups",
            "--",
        ];
    }

    /// <summary>Whether this user gets through all parents into the folder, whatever decides that: modes, ACLs, mounts.</summary>
    public bool CanEnter(string folder)
    {
        var command = CommandPrefix();
        return ShortCommand.Run(command[0], [.. command.Skip(1), "/bin/sh", "-c", "cd -- \"$1\"", "sh", folder]).ExitCode == 0;
    }
}
