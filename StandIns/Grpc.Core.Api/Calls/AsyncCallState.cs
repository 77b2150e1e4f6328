namespace Grpc.Core;

/// <summary>What the four call objects share: the delegates into the call behind them, with its state passed rather than captured.</summary>
internal readonly struct AsyncCallState(
    Func<object, Task<Metadata>> responseHeadersAsync,
    Func<object, Status> getStatus,
    Func<object, Metadata> getTrailers,
    Action<object> dispose,
    object state)
{
    public AsyncCallState(Task<Metadata> responseHeadersAsync, Func<Status> getStatus, Func<Metadata> getTrailers, Action dispose)
        : this(
            static state => ((Delegates)state).ResponseHeadersAsync,
            static state => ((Delegates)state).GetStatus(),
            static state => ((Delegates)state).GetTrailers(),
            static state => ((Delegates)state).Dispose(),
            new Delegates(responseHeadersAsync, getStatus, getTrailers, dispose))
    {
    }

    public Task<Metadata> ResponseHeadersAsync => responseHeadersAsync(state);

    public Status GetStatus() => getStatus(state);

    public Metadata GetTrailers() => getTrailers(state);

    public void Dispose() => dispose(state);

    private sealed record Delegates(
        Task<Metadata> ResponseHeadersAsync,
        Func<Status> GetStatus,
        Func<Metadata> GetTrailers,
        Action Dispose);
}
