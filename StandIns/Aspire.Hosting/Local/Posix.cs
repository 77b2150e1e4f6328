using System.Runtime.InteropServices;

namespace Aspire.Hosting.Local;

/// <summary>The few system calls that .NET has no API for.</summary>
internal static class Posix
{
    private const int NoSuchProcess = 3;

    private static int ContinueSignal => OperatingSystem.IsLinux() ? 18 : 19;

    /// <summary>Asks the system for nothing but whether the process (or, negative, the group) exists.</summary>
    public static bool Exists(int id) => Kill(id, 0) == 0 || Marshal.GetLastPInvokeError() != NoSuchProcess;

    /// <summary>False if there is no such process (or, negative, no such group).</summary>
    public static bool Send(int id, ProcessSignal signal) => Kill(id, (int)signal) == 0;

    /// <summary>To all of a program's group, which a program that has only just been forked is not yet the leader of.</summary>
    public static bool SendToGroup(int id, ProcessSignal signal) => Send(-id, signal) || Send(id, signal);

    /// <summary>Wakes what is stopped, so that it sees the signals that wait for it.</summary>
    public static void Continue(int id) => _ = Kill(id, ContinueSignal);

    public static void ChangeOwner(string path, SystemUser user)
    {
        if (ChangeOwner(path, user.UserId, user.GroupId) != 0)
        {
            throw new IOException($"Cannot give {path} to user '{user.Name}': {Marshal.GetLastPInvokeErrorMessage()}.");
        }
    }

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    private static extern int Kill(int id, int signal);

    [DllImport("libc", EntryPoint = "chown", SetLastError = true, BestFitMapping = false, ThrowOnUnmappableChar = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    private static extern int ChangeOwner([MarshalAs(UnmanagedType.LPUTF8Str)] string path, int userId, int groupId);
}
