using System.Buffers.Text;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;
using AspireStreaming.Streaming.Redis.Link;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireStreaming.PublisherApi.Healing;

/// <summary>
/// Looks after kept events: lets go of what the archive has, checks their partitions once a second, after each raise that is heard of
/// and after each reconnect, and at a stop waits for the archive.
/// </summary>
internal sealed class HealingWorker(
    RedisLink link,
    PartitionFence fence,
    AcknowledgedEvents acknowledged,
    IOptions<HealingOptions> options,
    TimeProvider time,
    ILogger<HealingWorker> logger) : BackgroundService
{
    private static readonly TimeSpan StopPoll = TimeSpan.FromMilliseconds(20);

    /// <summary>An archive from which nothing is heard for so long at a stop is not waited for.</summary>
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(2);

    private TaskCompletionSource _hurry = NewSignal();
    private Task? _subscription;

    /// <summary>Stops once the archive has what is kept, at the latest with the deadline.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        if (acknowledged.Events > 0)
        {
            await WaitForArchiveAsync(cancellationToken);
        }

        await base.StopAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        link.Multiplexer.ConnectionRestored += OnRestored;
        link.Replaced += OnReplaced;
        try
        {
            while (!stoppingToken.IsCancellationRequested)
            {
                EnsureSubscribed();
                await Task.WhenAll(acknowledged.Partitions.Select(partition => SettleAsync(partition, stoppingToken)));
                await PauseAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The host stops.
        }
        finally
        {
            link.Multiplexer.ConnectionRestored -= OnRestored;
            link.Replaced -= OnReplaced;
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task PauseAsync(CancellationToken cancellationToken)
    {
        var hurry = Volatile.Read(ref _hurry);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await Task.WhenAny(hurry.Task, Task.Delay(options.Value.CheckInterval, time, end.Token));
        await end.CancelAsync();
        cancellationToken.ThrowIfCancellationRequested();
        if (hurry.Task.IsCompleted)
        {
            Volatile.Write(ref _hurry, NewSignal());
        }
    }

    private async Task SettleAsync(int partition, CancellationToken cancellationToken)
    {
        try
        {
            await fence.SettleAsync(partition, cancellationToken);
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            // The next round tries again.
            HealingLog.CheckFailed(logger, partition, exception);
        }
    }

    /// <summary>Nobody waits for it: until it works, and where messages are lost, the check of the partitions tells the same.</summary>
    private void EnsureSubscribed()
    {
        if (_subscription is { IsFaulted: false, IsCanceled: false })
        {
            return;
        }

        if (_subscription?.Exception is { } exception)
        {
            HealingLog.SubscribeFailed(logger, exception);
        }

        var subscriber = link.Multiplexer.GetSubscriber();
        _subscription = Task.WhenAll(
            subscriber.SubscribeAsync(
                new RedisChannel(StreamKeys.WatermarkChannel, RedisChannel.PatternMode.Literal), (_, message) => OnWatermark((byte[]?)message)),
            subscriber.SubscribeAsync(new RedisChannel(StreamKeys.RaiseChannel, RedisChannel.PatternMode.Literal), (_, _) => Hurry()));
    }

    private void OnWatermark(ReadOnlySpan<byte> message)
    {
        if (Utf8Parser.TryParse(message, out int partition, out var length) && partition is >= 0 and < StreamName.PartitionCount
            && length < message.Length && StreamPosition.TryParse(message[(length + 1)..], out var watermark))
        {
            acknowledged.Archived(partition, watermark);
        }
    }

    private void OnRestored(object? sender, ConnectionFailedEventArgs arguments) => Hurry();

    /// <summary>Subscriptions do not move along.</summary>
    private void OnReplaced()
    {
        Volatile.Write(ref _subscription, null);
        Hurry();
    }

    private void Hurry() => Volatile.Read(ref _hurry).TrySetResult();

    private async Task WaitForArchiveAsync(CancellationToken cancellationToken)
    {
        using var deadline = new CancellationTokenSource(options.Value.StopTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        using var timer = new PeriodicTimer(StopPoll, time);
        var heard = time.GetTimestamp();
        var before = acknowledged.Events;
        try
        {
            while (acknowledged.Events > 0 && time.GetElapsedTime(heard) < StopPatience)
            {
                await timer.WaitForNextTickAsync(either.Token);
                if (acknowledged.Events < before)
                {
                    before = acknowledged.Events;
                    heard = time.GetTimestamp();
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The deadline.
        }

        if (acknowledged.Events > 0)
        {
            HealingLog.StoppedUnarchived(logger, acknowledged.Events, options.Value.StopTimeout.TotalSeconds);
        }
    }
}
