using System.Buffers.Text;
using AspireStreaming.PublisherApi.Healing;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;
using AspireStreaming.Streaming.Redis.Link;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireStreaming.PublisherApi.Appending;

/// <summary>Waits until the archive holds an event. Thread-safe.</summary>
/// <remarks>
/// The archiver's word on <see cref="StreamKeys.WatermarkChannel"/> only wakes; what counts is the archived position in the stream's
/// meta, which is also read from time to time, because a message can be lost.
/// </remarks>
internal sealed class ArchiveProgress
{
    private readonly IConnectionMultiplexer _redis;
    private readonly HotLogReader _reader;
    private readonly AcknowledgedEvents _acknowledged;
    private readonly TimeProvider _time;
    private readonly ILogger<ArchiveProgress> _logger;
    private readonly TimeSpan _pollInterval;
    private readonly Lock _subscribing = new();
    private readonly TaskCompletionSource[] _signals = [.. Enumerable.Range(0, StreamName.PartitionCount).Select(_ => NewSignal())];
    private Task? _subscription;

    public ArchiveProgress(
        RedisLink link,
        HotLogReader reader,
        AcknowledgedEvents acknowledged,
        IOptions<PublisherOptions> options,
        TimeProvider time,
        ILogger<ArchiveProgress> logger)
    {
        _redis = link.Multiplexer;
        link.Replaced += Resubscribe;
        _reader = reader;
        _acknowledged = acknowledged;
        _time = time;
        _logger = logger;
        _pollInterval = options.Value.ArchivePollInterval;
    }

    /// <summary>Waits for a position to be archived.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="position">The position; null = the stream's last one as of now, for a request of which some events were known before.</param>
    /// <param name="timeout">The longest wait.</param>
    /// <param name="ending">Ends the wait with false.</param>
    /// <param name="cancellationToken">Ends the wait with an exception.</param>
    /// <returns>Whether it is.</returns>
    public async Task<bool> WaitAsync(
        string stream, StreamPosition? position, TimeSpan timeout, CancellationToken ending, CancellationToken cancellationToken)
    {
        EnsureSubscribed();
        var partition = StreamName.PartitionOf(stream);
        using var deadline = new CancellationTokenSource(timeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, ending, cancellationToken);
        try
        {
            while (true)
            {
                // Taken before the look, so that a commit between the look and the wait is not missed.
                var signal = Volatile.Read(ref _signals[partition]).Task;
                if (await ReadMetaAsync(stream, either.Token) is { } meta)
                {
                    position ??= meta.Last;

                    // The archive may have what came after a loss and not yet what was put back since.
                    if (meta.Archived >= position && !_acknowledged.Holds(stream, position.Value))
                    {
                        return true;
                    }
                }

                try
                {
                    await signal.WaitAsync(_pollInterval, _time, either.Token);
                }
                catch (TimeoutException)
                {
                    EnsureSubscribed();
                }
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return false;
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task<StreamMeta?> ReadMetaAsync(string stream, CancellationToken cancellationToken)
    {
        try
        {
            return await _reader.ReadMetaAsync(stream, cancellationToken);
        }
        catch (Exception exception) when (RedisPipeline.IsUnreachable(exception, cancellationToken))
        {
            // The event is accepted already; whether it is archived shows when Redis is back.
            PublisherLog.ArchiveWaitFailed(_logger, stream, exception);
            return null;
        }
    }

    /// <summary>Subscribes at the first wait, and again where that failed. Nobody waits for it: until it works, the poll does.</summary>
    private void EnsureSubscribed()
    {
        if (Volatile.Read(ref _subscription) is { IsFaulted: false, IsCanceled: false })
        {
            return;
        }

        lock (_subscribing)
        {
            if (_subscription is null or { IsFaulted: true } or { IsCanceled: true })
            {
                Volatile.Write(ref _subscription, SubscribeAsync());
            }
        }
    }

    private void Resubscribe()
    {
        lock (_subscribing)
        {
            if (_subscription is not null)
            {
                Volatile.Write(ref _subscription, SubscribeAsync());
            }
        }
    }

    private async Task SubscribeAsync() => await _redis.GetSubscriber().SubscribeAsync(
        new RedisChannel(StreamKeys.WatermarkChannel, RedisChannel.PatternMode.Literal), (_, message) => Wake((byte[]?)message));

    private void Wake(ReadOnlySpan<byte> message)
    {
        if (Utf8Parser.TryParse(message, out int partition, out _) && partition is >= 0 and < StreamName.PartitionCount)
        {
            Interlocked.Exchange(ref _signals[partition], NewSignal()).SetResult();
        }
    }
}
