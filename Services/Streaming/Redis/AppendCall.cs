using StackExchange.Redis;

namespace AspireStreaming.Streaming.Redis;

/// <summary>One request on its way through an <see cref="AppendLane"/>.</summary>
internal sealed class AppendCall(RedisKey stream, RedisValue[] arguments, int bytes)
{
    private TaskCompletionSource<byte[]>? _reply;
    private volatile bool _abandoned;

    public RedisKey Stream { get; } = stream;

    /// <summary>What append.lua expects for a request.</summary>
    public RedisValue[] Arguments { get; } = arguments;

    /// <summary>About what the arguments weigh.</summary>
    public int Bytes { get; } = bytes;

    /// <summary>The scripts to call.</summary>
    public required FencedScripts Scripts { get; init; }

    /// <summary>Whether nobody waits any more; if it is not sent yet, it need not be.</summary>
    public bool IsAbandoned => _abandoned;

    /// <summary>The reply of a call that had to wait for its turn; only after <see cref="Queued"/>.</summary>
    public Task<byte[]> Reply => _reply!.Task;

    public void Queued() => _reply = new TaskCompletionSource<byte[]>(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Abandon() => _abandoned = true;

    public void Succeeded(byte[] reply) => _reply!.TrySetResult(reply);

    public void Failed(Exception exception) => _reply!.TrySetException(exception);
}
