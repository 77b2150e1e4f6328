using Microsoft.Extensions.Options;

namespace AspireStreaming.StreamApi.Sessions;

/// <summary>Bytes of the publishes under way in all sessions. Thread-safe.</summary>
internal sealed class PublishBudget(IOptions<SessionOptions> options)
{
    private readonly long _limit = options.Value.MaxPublishBytes;
    private long _used;

    /// <summary>Bytes taken.</summary>
    public long Used => Volatile.Read(ref _used);

    /// <summary>Takes bytes if they are there.</summary>
    public bool TryTake(long bytes)
    {
        if (Interlocked.Add(ref _used, bytes) <= _limit)
        {
            return true;
        }

        Interlocked.Add(ref _used, -bytes);
        return false;
    }

    /// <summary>Gives them back.</summary>
    public void Return(long bytes) => Interlocked.Add(ref _used, -bytes);
}
