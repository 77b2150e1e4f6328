using System.Threading.Tasks.Sources;
using AspireStreaming.Streaming.Redis.Wire;
using StackExchange.Redis;

namespace AspireStreaming.Streaming.Redis;

/// <summary>One request on its way through an <see cref="AppendLane"/>; its reply is awaited once.</summary>
/// <param name="script">Hash of the script to call; only calls of one script go together.</param>
/// <param name="stream">The stream's key.</param>
/// <param name="arguments">What append.lua expects for the request.</param>
internal sealed class AppendCall(byte[] script, byte[] stream, AppendArguments arguments) : IValueTaskSource<byte[]>
{
    private ManualResetValueTaskSourceCore<byte[]> _core;
    private byte[]? _reply;
    private Exception? _error;

    public byte[] Script => script;

    public byte[] Stream => stream;

    public AppendArguments Arguments => arguments;

    /// <summary>When it began to wait for its turn; a timestamp of the lane's clock.</summary>
    public long QueuedAt { get; private set; }

    /// <summary>Its caller's.</summary>
    public CancellationToken CancellationToken { get; private set; }

    /// <summary>The reply.</summary>
    public ValueTask<byte[]> Reply => new(this, _core.Version);

    public void Queued(long now, CancellationToken cancellationToken)
    {
        QueuedAt = now;
        CancellationToken = cancellationToken;
    }

    /// <summary>Keeps the reply until it is given by <see cref="Complete"/>.</summary>
    public void Take(in RespReply reply)
    {
        if (reply.Kind is RespKind.Bulk or RespKind.Simple && reply.Count == 0)
        {
            _reply = reply.Value.ToArray();
        }
        else
        {
            // One request's error is its own.
            _error = reply.Kind == RespKind.Error
                ? new RedisErrorException(reply.Text)
                : new InvalidDataException("The append script answered with something else than a string.");
        }
    }

    /// <inheritdoc cref="Take(in RespReply)"/>
    public void Take(byte[] line) => _reply = line;

    /// <inheritdoc cref="Take(in RespReply)"/>
    public void Take(RedisResult reply)
    {
        try
        {
            _reply = (byte[])reply!;
        }
        catch (Exception exception)
        {
            _error = exception;
        }
    }

    /// <summary>Gives the reply that it has.</summary>
    /// <param name="inline">Whether its caller may go on in this thread.</param>
    public void Complete(bool inline)
    {
        _core.RunContinuationsAsynchronously = !inline;
        if (_error is null)
        {
            _core.SetResult(_reply!);
        }
        else
        {
            _core.SetException(_error);
        }
    }

    public void Fail(Exception exception)
    {
        _error = exception;
        Complete(inline: false);
    }

    public void Abandon() => Fail(new OperationCanceledException(CancellationToken));

    byte[] IValueTaskSource<byte[]>.GetResult(short token) => _core.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<byte[]>.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource<byte[]>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);
}
