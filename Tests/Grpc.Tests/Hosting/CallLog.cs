using System.Collections.Concurrent;

namespace AspireStreaming.Grpc.Tests.Hosting;

/// <summary>What the server saw of the calls that tests named, as tasks to await.</summary>
internal sealed class CallLog
{
    private readonly ConcurrentDictionary<string, TaskCompletionSource> _started = new();
    private readonly ConcurrentDictionary<string, TaskCompletionSource> _cancelled = new();

    public Task Started(string call) => Get(_started, call).Task;

    public Task Cancelled(string call) => Get(_cancelled, call).Task;

    public void SetStarted(string call) => Get(_started, call).TrySetResult();

    public void SetCancelled(string call) => Get(_cancelled, call).TrySetResult();

    private static TaskCompletionSource Get(ConcurrentDictionary<string, TaskCompletionSource> sources, string call) =>
        sources.GetOrAdd(call, static _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
}
