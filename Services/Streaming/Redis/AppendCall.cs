using StackExchange.Redis;

namespace AspireStreaming.Streaming.Redis;

/// <summary>One request on its way through an <see cref="AppendLane"/>.</summary>
internal sealed class AppendCall(byte[] script, RedisKey stream, RedisValue[] arguments, int bytes)
{
    private TaskCompletionSource<byte[]>? _reply;

    /// <summary>Hash of the script to call; only calls of one script go together.</summary>
    public byte[] Script { get; } = script;

    public RedisKey Stream { get; } = stream;

    /// <summary>What append.lua expects for a request.</summary>
    public RedisValue[] Arguments { get; } = arguments;

    /// <summary>About what the arguments weigh.</summary>
    public int Bytes { get; } = bytes;

    /// <summary>When it began to wait for its turn; a timestamp of the lane's clock.</summary>
    public long QueuedAt { get; private set; }

    /// <summary>Its caller's.</summary>
    public CancellationToken CancellationToken { get; private set; }

    /// <summary>The reply of a call that had to wait for its turn; only after <see cref="Queued"/>.</summary>
    public Task<byte[]> Reply => _reply!.Task;

    public void Queued(long now, CancellationToken cancellationToken)
    {
        QueuedAt = now;
        CancellationToken = cancellationToken;
        _reply = new TaskCompletionSource<byte[]>(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    public void Succeeded(byte[] reply) => _reply!.TrySetResult(reply);

    public void Failed(Exception exception) => _reply!.TrySetException(exception);

    public void Abandoned() => _reply!.TrySetCanceled(CancellationToken);
}
