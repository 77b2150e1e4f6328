using AspireStreaming.Streaming;
using AspireStreaming.Streaming.Redis;
using AspireStreaming.Streaming.Redis.Link;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireStreaming.StreamApi.Fleet;

/// <summary>Keeps this replica among the others: announces it, listens, answers, and takes leave at the end.</summary>
internal sealed class FleetWorker(
    FleetChannel channel,
    ReplicaRoster roster,
    RedisLink link,
    RedisGate gate,
    IHostApplicationLifetime lifetime,
    IOptions<FleetOptions> options,
    TimeProvider time,
    ILogger<FleetWorker> logger) : BackgroundService
{
    private static readonly TimeSpan LeaveTimeout = TimeSpan.FromMilliseconds(500);

    private TaskCompletionSource _hurry = New();
    private bool _isSubscribed;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            // Only then the server's address is known.
            var started = New();
            await using (lifetime.ApplicationStarted.Register(() => started.TrySetResult()))
            {
                await started.Task.WaitAsync(stoppingToken);
            }

            link.Replaced += OnReplaced;
            gate.Restored += Hurry;
            await Task.WhenAll(channel.AnswerAsync(stoppingToken), AnnounceAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            await LeaveAsync();
        }
        finally
        {
            link.Replaced -= OnReplaced;
            gate.Restored -= Hurry;
        }
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private void Hurry() => Volatile.Read(ref _hurry).TrySetResult();

    private void OnReplaced()
    {
        Volatile.Write(ref _isSubscribed, false);
        Hurry();
    }

    private async Task AnnounceAsync(CancellationToken cancellationToken)
    {
        var backoff = new Backoff();
        while (true)
        {
            var hurry = New();
            Volatile.Write(ref _hurry, hurry);
            var pause = options.Value.AnnounceInterval * (0.8 + (0.4 * Random.Shared.NextDouble()));
            try
            {
                if (!Volatile.Read(ref _isSubscribed))
                {
                    Volatile.Write(ref _isSubscribed, true);
                    await channel.SubscribeAsync(cancellationToken);
                }

                await roster.AnnounceAsync(cancellationToken);
                backoff.Reset();
            }
            catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
            {
                Volatile.Write(ref _isSubscribed, false);
                if (backoff.Failures == 0)
                {
                    FleetLog.AnnounceFailed(logger, exception);
                }

                pause = backoff.Next();
            }

            // A Redis that came back may have forgotten who is there.
            using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            await Task.WhenAny(hurry.Task, Task.Delay(pause, time, end.Token));
            await end.CancelAsync();
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    private async Task LeaveAsync()
    {
        using var limit = new CancellationTokenSource(LeaveTimeout, time);
        try
        {
            await roster.LeaveAsync(limit.Token);
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException or ObjectDisposedException or OperationCanceledException)
        {
            // The others see it when the key's time is over.
        }
    }
}
