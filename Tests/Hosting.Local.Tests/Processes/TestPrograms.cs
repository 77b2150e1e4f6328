using System.Collections.Concurrent;
using Aspire.Hosting.Local;

namespace AspireStreaming.Hosting.Local.Tests.Processes;

/// <summary>Starts shell scripts as guarded processes and looks at processes of this machine.</summary>
internal static class TestPrograms
{
    private const int StopSignal = 19;

    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(10);

    public static readonly IReadOnlyDictionary<string, string> Path = new Dictionary<string, string> { ["PATH"] = "/usr/bin:/bin" };

    public static GuardedProcess Shell(string script, Action<string, bool>? onLine = null) =>
        GuardedProcess.Start(ShellSpec(script), onLine ?? ((_, _) => { }));

    public static GuardedProcess Shell(string script, ConcurrentQueue<string> lines) => Shell(script, (line, _) => lines.Enqueue(line));

    public static ProcessSpec ShellSpec(string script, IReadOnlyDictionary<string, string>? environment = null) =>
        new("/bin/sh", ["-c", script], "/", environment ?? Path);

    public static async Task<string> LineAsync(ConcurrentQueue<string> lines, CancellationToken cancellationToken)
    {
        string? line = null;
        await Eventually.TrueAsync(() => lines.TryDequeue(out line), Deadline, "the program has written a line", cancellationToken);
        return line!;
    }

    /// <summary>A process that waits to be reaped is gone.</summary>
    public static bool IsAlive(int id)
    {
        try
        {
            return StatFields(id)[0] != "Z";
        }
        catch (IOException)
        {
            return false;
        }
    }

    /// <summary>The session that the process belongs to.</summary>
    public static int SessionOf(int id) => int.Parse(StatFields(id)[3]);

    public static void Freeze(int id) => Assert.True(Posix.Send(id, (ProcessSignal)StopSignal));

    public static async Task FrozenAsync(int id, CancellationToken cancellationToken) =>
        await Eventually.TrueAsync(() => StatFields(id)[0] == "T", Deadline, $"process {id} is stopped", cancellationToken);

    // After "<id> (<name>)": state, parent, group, session ...
    private static string[] StatFields(int id) => File.ReadAllText($"/proc/{id}/stat").Split(')')[^1].Trim().Split(' ');
}
