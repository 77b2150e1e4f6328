namespace AspireStreaming.TestSupport.Faults;

/// <summary>Lets waiters through while it is open. Thread-safe.</summary>
internal sealed class Valve
{
    private static readonly TaskCompletionSource Open = MakeOpen();

    private TaskCompletionSource _current = Open;

    public bool IsOpen => Volatile.Read(ref _current).Task.IsCompleted;

    public void Close()
    {
        var closed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Interlocked.CompareExchange(ref _current, closed, Open);
    }

    public void Reopen() => Interlocked.Exchange(ref _current, Open).TrySetResult();

    public Task PassAsync(CancellationToken cancellationToken) => Volatile.Read(ref _current).Task.WaitAsync(cancellationToken);

    private static TaskCompletionSource MakeOpen()
    {
        var open = new TaskCompletionSource();
        open.SetResult();
        return open;
    }
}
