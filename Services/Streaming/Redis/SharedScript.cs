using System.Security.Cryptography;
using AspireStreaming.Streaming.Contracts;
using StackExchange.Redis;

namespace AspireStreaming.Streaming.Redis;

/// <summary>
/// One append script for requests of any partitions, so that they can go to Redis together. It belongs to this process and to one
/// process of Redis: its text holds a number that was drawn for this one load, and it is used only after it has itself answered, in
/// the process of Redis that has it, which partitions' epochs were raised there. Thread-safe.
/// </summary>
/// <remarks>
/// Nothing here is waited for by an append: what has no proof goes by the script of its own partition, which is also where epochs are
/// raised. Never used where the partitions may be in several processes.
/// </remarks>
internal sealed class SharedScript(IConnectionMultiplexer redis, TimeSpan timeout, TimeProvider time)
{
    private readonly long[] _wanted = new long[StreamName.PartitionCount];
    private readonly Lock _lock = new();
    private Loaded? _loaded;
    private Task _proving = Task.CompletedTask;
    private long _notBefore;

    /// <summary>Between proofs: partitions that become known one after another are proven together.</summary>
    public TimeSpan Gathering { get; set; } = TimeSpan.FromMilliseconds(10);

    /// <summary>After a failure: each load leaves a script in Redis.</summary>
    public TimeSpan Pause { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>The last proof, done or under way; never fails.</summary>
    public Task Proving => _proving;

    /// <summary>The script's hash if it may append to a partition in an epoch; else null.</summary>
    public byte[]? For(int partition, long epoch) =>
        Volatile.Read(ref _loaded) is { } loaded && Volatile.Read(ref loaded.Proven[partition]) == epoch ? loaded.Hash : null;

    /// <summary>An append by the partition's own script has succeeded: the next may go by this one.</summary>
    public void Want(int partition, long epoch)
    {
        if (For(partition, epoch) is not null)
        {
            return;
        }

        Volatile.Write(ref _wanted[partition], epoch);
        if (time.GetTimestamp() < Volatile.Read(ref _notBefore) || !_lock.TryEnter())
        {
            return;
        }

        try
        {
            if (_proving.IsCompleted)
            {
                // One at a time, and each ends after two time-outs at the latest.
                _proving = ProveAsync();
            }
        }
        finally
        {
            _lock.Exit();
        }
    }

    /// <summary>Redis does not know it any more: it is loaded anew under another hash, never again under this one.</summary>
    public void Forget(byte[] hash)
    {
        if (Volatile.Read(ref _loaded) is { } loaded && loaded.Hash == hash)
        {
            Interlocked.CompareExchange(ref _loaded, null, loaded);
        }
    }

    private async Task ProveAsync()
    {
        var pause = Pause;
        try
        {
            if ((Volatile.Read(ref _loaded) ?? await LoadAsync().ConfigureAwait(false)) is { } loaded
                && await ProveAsync(loaded).ConfigureAwait(false))
            {
                pause = Gathering;
            }
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException or ObjectDisposedException or OperationCanceledException)
        {
            // Whatever it was, this load is not used any more; appends go on by the scripts of their partitions.
            Volatile.Write(ref _loaded, null);
        }
        finally
        {
            Volatile.Write(ref _notBefore, time.GetTimestamp() + (long)(pause.TotalSeconds * time.TimestampFrequency));
        }
    }

    /// <summary>Has the script look, in the process that has it, at the epochs that are wanted.</summary>
    /// <returns>Whether all of them are proven.</returns>
    private async Task<bool> ProveAsync(Loaded loaded)
    {
        var epochs = new Dictionary<string, (int Partition, long Epoch)>(StringComparer.Ordinal);
        var arguments = new List<RedisValue>();
        for (var partition = 0; partition < _wanted.Length; partition++)
        {
            var epoch = Volatile.Read(ref _wanted[partition]);
            if (epoch != Volatile.Read(ref loaded.Proven[partition]))
            {
                epochs.Add(StreamKeys.Tag(partition), (partition, epoch));
                arguments.Add(StreamKeys.Tag(partition));
                arguments.Add(epoch);
            }
        }

        var proven = (RedisResult[])(await redis.GetDatabase().ScriptEvaluateAsync(loaded.Hash, [], [.. arguments])
            .WaitAsync(timeout, time, CancellationToken.None).ConfigureAwait(false))!;
        foreach (var tag in proven)
        {
            var (partition, epoch) = epochs[(string)tag!];
            Volatile.Write(ref loaded.Proven[partition], epoch);
        }

        Volatile.Write(ref _loaded, loaded);
        return proven.Length == epochs.Count;
    }

    /// <summary>Loads the script into the one master there is.</summary>
    /// <returns>Null where there is none, or several.</returns>
    private async Task<Loaded?> LoadAsync()
    {
        var master = SoleMaster.Find(redis);
        if (master is null)
        {
            return null;
        }

        var text = FencedScripts.SharedAppendText(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16)));
        await master.ScriptLoadAsync(text).WaitAsync(timeout, time, CancellationToken.None).ConfigureAwait(false);
        return new Loaded(FencedScripts.Hash(text));
    }

    private sealed class Loaded(byte[] hash)
    {
        /// <summary>By partition, the epoch that it was proven for; 0 for none.</summary>
        public readonly long[] Proven = new long[StreamName.PartitionCount];

        public byte[] Hash { get; } = hash;
    }
}
