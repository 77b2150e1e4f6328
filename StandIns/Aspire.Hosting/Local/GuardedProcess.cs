namespace Aspire.Hosting.Local;

internal sealed class GuardedProcess : IAsyncDisposable
{
    private GuardedProcess(int id, Task<int> exited)
    {
        Id = id;
        Exited = exited;
    }

    public int Id { get; }

    public Task<int> Exited { get; }

    public static GuardedProcess Start(ProcessSpec spec, Action<string, bool> onLine) => throw new NotImplementedException();

    public Task StopAsync(TimeSpan grace) => throw new NotImplementedException();

    public ValueTask DisposeAsync() => throw new NotImplementedException();
}
