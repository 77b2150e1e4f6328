using System.Diagnostics;
using System.Globalization;

namespace AspireStreaming.TestSupport.Processes;

/// <summary>
/// A server process that cannot outlive the test process. A guardian shell starts it and reads a pipe from us: when the
/// pipe ends, however we die, the guardian ends the server with its children and deletes its temporary folder.
/// (PR_SET_PDEATHSIG is no alternative: it fires when the starting thread ends, and pool threads come and go.)
/// </summary>
internal sealed class GuardedProcess : IAsyncDisposable
{
    // $1 signal for an orderly end, $2 log file, $3 folder to delete or "", then the command.
    // The server is reaped only at the end, so that its process id stays ours while a test may still signal it.
    private const string GuardianScript =
        """
        signal=$1; log=$2; folder=$3; shift 3
        trap '' INT TERM HUP
        (trap - INT TERM HUP; exec "$@") </dev/null >>"$log" 2>&1 &
        child=$!
        echo "$child"
        exec >/dev/null 2>&1
        while read -r word; do [ "$word" = keep ] && folder=; done
        alive() { read -r _ _ state _ < "/proc/$child/stat" && [ "$state" != Z ]; }
        kids=$(cat "/proc/$child/task/$child/children")
        if alive; then
          kill "-$signal" "$child"; kill -CONT "$child" $kids
          i=0; while alive && [ $i -lt 50 ]; do sleep 0.1; i=$((i + 1)); done
        fi
        kill -KILL "$child" $kids
        wait "$child"
        [ -n "$folder" ] && rm -rf -- "$folder"
        """;

    private static readonly TimeSpan GuardianTimeout = TimeSpan.FromSeconds(15);

    private readonly Process _guardian;
    private bool _ended;

    private GuardedProcess(Process guardian, int id)
    {
        _guardian = guardian;
        Id = id;
    }

    /// <summary>Process id of the server itself; not reused before this object is disposed.</summary>
    public int Id { get; }

    public bool HasExited => IsGone(Id);

    /// <param name="endSignal">Name of the signal that asks the server to end at once but cleanly.</param>
    /// <param name="logFile">Receives standard output and error.</param>
    /// <param name="temporaryFolder">Deleted when the test process dies or disposes without keeping it.</param>
    /// <param name="command">Program and arguments; the program must replace itself by exec, not fork.</param>
    /// <param name="cancellationToken">Ends the wait for the start.</param>
    public static async Task<GuardedProcess> StartAsync(
        string endSignal, string logFile, string? temporaryFolder, IEnumerable<string> command, CancellationToken cancellationToken)
    {
        var startInfo = new ProcessStartInfo("/bin/sh") { RedirectStandardInput = true, RedirectStandardOutput = true };
        string[] arguments = ["-c", GuardianScript, "guardian", endSignal, logFile, temporaryFolder ?? "", .. command];
        foreach (var argument in arguments)
        {
            startInfo.ArgumentList.Add(argument);
        }

        var guardian = Process.Start(startInfo) ?? throw new InvalidOperationException("The guardian shell did not start.");
        try
        {
            var line = await guardian.StandardOutput.ReadLineAsync(cancellationToken);
            return new GuardedProcess(guardian, int.Parse(line ?? "", CultureInfo.InvariantCulture));
        }
        catch
        {
            guardian.StandardInput.Close();
            guardian.Dispose();
            throw;
        }
    }

    /// <summary>Ends the server at once, with its children, as a power cut of the machine would; returns when it is gone.</summary>
    public void Kill()
    {
        var tree = StopTree();
        foreach (var id in tree)
        {
            UnixSignals.Send(id, UnixSignals.Kill);
        }

        // The children too: PostgreSQL does not start again while one of them still has the old shared memory.
        SpinWait.SpinUntil(() => tree.TrueForAll(IsGone), GuardianTimeout);
    }

    /// <summary>Freezes the server and its children (SIGSTOP): connections stay open, nothing answers.</summary>
    public void Suspend() => StopTree();

    public void Resume()
    {
        foreach (var id in ReadTree())
        {
            UnixSignals.Send(id, UnixSignals.Continue);
        }
    }

    /// <summary>Asks the server to end and waits; what is left after the timeout is killed.</summary>
    public async Task StopAsync(int signal, TimeSpan timeout, CancellationToken cancellationToken)
    {
        Resume();
        UnixSignals.Send(Id, signal);
        await WaitForExitAsync(timeout, cancellationToken);
        if (!HasExited)
        {
            Kill();
        }
    }

    /// <summary>Ends what still runs and the guardian.</summary>
    public async Task EndAsync(bool keepFolder)
    {
        if (_ended)
        {
            return;
        }

        _ended = true;
        try
        {
            if (keepFolder)
            {
                await _guardian.StandardInput.WriteLineAsync("keep");
            }

            _guardian.StandardInput.Close();
        }
        catch (IOException)
        {
            // The guardian is gone already, and with it the server.
        }

        using var deadline = new CancellationTokenSource(GuardianTimeout);
        await _guardian.WaitForExitAsync(deadline.Token);
        _guardian.Dispose();
    }

    public async ValueTask DisposeAsync() => await EndAsync(keepFolder: false);

    public async Task WaitForExitAsync(TimeSpan timeout, CancellationToken cancellationToken)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (!HasExited && TimeProvider.System.GetElapsedTime(start) < timeout)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System, cancellationToken);
        }
    }

    /// <summary>Stops the parent first, so that no child is born between the look and the signal.</summary>
    private List<int> StopTree()
    {
        UnixSignals.Send(Id, UnixSignals.Stop);
        SpinWait.SpinUntil(() => ReadState(Id) is null or 'T' or 'Z' or 'X', GuardianTimeout);
        var tree = ReadTree();
        foreach (var id in tree)
        {
            UnixSignals.Send(id, UnixSignals.Stop);
        }

        return tree;
    }

    private List<int> ReadTree()
    {
        var tree = new List<int>();
        if (HasExited)
        {
            return tree;
        }

        try
        {
            foreach (var id in File.ReadAllText($"/proc/{Id}/task/{Id}/children").Split(' ', StringSplitOptions.RemoveEmptyEntries))
            {
                tree.Add(int.Parse(id, CultureInfo.InvariantCulture));
            }
        }
        catch (IOException)
        {
            // It ended between the two looks.
        }

        // Children first, the parent last: a resumed parent must find its children running.
        tree.Add(Id);
        return tree;
    }

    private static bool IsGone(int id) => ReadState(id) is null or 'Z' or 'X';

    private static char? ReadState(int id)
    {
        try
        {
            // The second field, the program's name in parentheses, may hold anything.
            var stat = File.ReadAllText($"/proc/{id}/stat");
            return stat[stat.LastIndexOf(')') + 2];
        }
        catch (IOException)
        {
            return null;
        }
    }
}
