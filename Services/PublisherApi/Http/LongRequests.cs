using AspireStreaming.ServiceDefaults.Health;

namespace AspireStreaming.PublisherApi.Http;

/// <summary>
/// Counts the requests that end only when their client or the service does, and at a stop lets them end before the server closes
/// connections: a client that sees its connection close before it has taken in the end of a stream reports a broken call.
/// </summary>
internal sealed class LongRequests(DrainState drain, TimeProvider time) : IHostedLifecycleService
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(20);

    /// <summary>For the last answers to arrive.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromMilliseconds(150);

    private int _count;

    /// <summary>Cancelled when long requests are to end.</summary>
    public CancellationToken Ending => drain.Draining;

    public void Started() => Interlocked.Increment(ref _count);

    public void Ended() => Interlocked.Decrement(ref _count);

    /// <summary>Runs before anything else stops.</summary>
    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        if (Volatile.Read(ref _count) == 0)
        {
            return;
        }

        drain.BeginDrain();
        using var limit = new CancellationTokenSource(Limit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        using var timer = new PeriodicTimer(Poll, time);
        try
        {
            while (Volatile.Read(ref _count) > 0)
            {
                await timer.WaitForNextTickAsync(either.Token);
            }

            await Task.Delay(Grace, time, either.Token);
        }
        catch (OperationCanceledException)
        {
            // The server has its own deadline for what is left.
        }
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
