using System.Diagnostics;

namespace Aspire.Hosting.Local;

/// <summary>
/// A program in a process group of its own, so that a Ctrl-C in the terminal reaches the host alone. The whole group ends with
/// the program, with <see cref="StopAsync"/>, or with the host, even if that is killed (see <see cref="ProcessLauncher"/>).
/// </summary>
internal sealed class GuardedProcess : IAsyncDisposable
{
    private static readonly TimeSpan DisposeGrace = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan DrainDeadline = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan KillDeadline = TimeSpan.FromSeconds(10);

    private readonly Process _process;
    private readonly ProcessSpec _spec;
    private readonly Action<string, bool> _onLine;
    private readonly Lock _lineLock = new();
    private readonly CancellationTokenSource _drained = new();
    private int _stopSignalSent;

    private GuardedProcess(Process process, ProcessSpec spec, Action<string, bool> onLine)
    {
        _process = process;
        _spec = spec;
        _onLine = onLine;
        Id = process.Id;
        Exited = RunAsync();
    }

    /// <summary>The process id of the program itself, and of its group.</summary>
    public int Id { get; }

    /// <summary>The exit code (128 + signal if a signal ended it), once the program has ended and its output is delivered.</summary>
    public Task<int> Exited { get; }

    /// <summary>Starts the program. <paramref name="onLine"/> gets each line, one at a time, and whether it came by standard error.</summary>
    public static GuardedProcess Start(ProcessSpec spec, Action<string, bool> onLine)
    {
        if (OperatingSystem.IsWindows())
        {
            throw new PlatformNotSupportedException("Local processes run on Linux and macOS; on Windows use WSL or the official Aspire packages.");
        }

        var process = Process.Start(ProcessLauncher.CreateStartInfo(spec))
            ?? throw new DistributedApplicationException($"'{spec.FileName}' did not start.");
        return new GuardedProcess(process, spec, onLine);
    }

    /// <summary>Asks the program to end and, if it has not after <paramref name="grace"/>, kills its group.</summary>
    public async Task StopAsync(TimeSpan grace)
    {
        if (Exited.IsCompleted)
        {
            return;
        }

        if (Interlocked.Exchange(ref _stopSignalSent, 1) == 0)
        {
            _ = _spec.StopsWholeGroup ? Posix.SendToGroup(Id, _spec.StopSignal) : Posix.Send(Id, _spec.StopSignal);
            Posix.Continue(-Id);
        }

        if (!await EndsWithinAsync(grace))
        {
            Posix.SendToGroup(Id, ProcessSignal.Kill);
            if (!await EndsWithinAsync(KillDeadline))
            {
                throw new TimeoutException($"Process {Id} ({_spec.FileName}) is still there {KillDeadline.TotalSeconds} s after it was killed.");
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync(DisposeGrace);
        _process.Dispose();
        _drained.Dispose();
    }

    private async Task<bool> EndsWithinAsync(TimeSpan time)
    {
        await Task.WhenAny(Exited, Task.Delay(time));
        return Exited.IsCompleted;
    }

    private async Task<int> RunAsync()
    {
        var output = ReadLinesAsync(_process.StandardOutput.BaseStream, isError: false);
        var error = ReadLinesAsync(_process.StandardError.BaseStream, isError: true);
        await _process.WaitForExitAsync(CancellationToken.None);
        var exitCode = _process.ExitCode;

        // Whatever the program left behind in its group; it may also hold the pipes of the output open.
        Posix.Send(-Id, ProcessSignal.Kill);
        await ReleaseGuardianAsync();
        _drained.CancelAfter(DrainDeadline);
        await Task.WhenAll(output, error);
        return exitCode;
    }

    private async Task ReleaseGuardianAsync()
    {
        try
        {
            await _process.StandardInput.WriteAsync(ProcessLauncher.Released);
            _process.StandardInput.Close();
        }
        catch (IOException)
        {
            // The guardian is gone: somebody killed it, or it never came up.
        }
    }

    private async Task ReadLinesAsync(Stream stream, bool isError)
    {
        // Off the starter's thread, whatever part of the pipe's reads the runtime does synchronously.
        await Task.Yield();
        var lines = new LineSplitter(line =>
        {
            lock (_lineLock)
            {
                _onLine(line, isError);
            }
        });
        try
        {
            while (await stream.ReadAsync(lines.Free, _drained.Token) is > 0 and var count)
            {
                lines.Advance(count);
            }
        }
        catch (OperationCanceledException)
        {
            // Somebody outside of the group holds the pipe open.
        }

        lines.Complete();
    }
}
