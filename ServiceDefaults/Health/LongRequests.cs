using Microsoft.Extensions.Hosting;

namespace AspireStreaming.ServiceDefaults.Health;

/// <summary>
/// Counts the requests that end only when their client or the service does, and at a stop lets them end before the server closes
/// connections: a client that sees its connection close before it has taken in the end of a stream reports a broken call.
/// </summary>
public sealed class LongRequests(DrainState drain, TimeProvider time) : IHostedLifecycleService
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(20);

    /// <summary>For the last answers to arrive.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromMilliseconds(150);

    private readonly List<Func<int>> _others = [];
    private int _count;

    /// <summary>Cancelled when long requests are to end.</summary>
    public CancellationToken Ending => drain.Draining;

    private int Count => Volatile.Read(ref _count) + _others.Sum(count => count());

    /// <summary>A long request began.</summary>
    public void Started() => Interlocked.Increment(ref _count);

    /// <summary>A long request is over.</summary>
    public void Ended() => Interlocked.Decrement(ref _count);

    /// <summary>Counts those that somebody else keeps account of; to be called before the service starts.</summary>
    public void Include(Func<int> count) => _others.Add(count);

    /// <summary>Runs before anything else stops.</summary>
    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        if (Count == 0)
        {
            return;
        }

        drain.BeginDrain();
        using var limit = new CancellationTokenSource(Limit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        using var timer = new PeriodicTimer(Poll, time);
        try
        {
            while (Count > 0)
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

    /// <inheritdoc/>
    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
