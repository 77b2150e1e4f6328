using StackExchange.Redis;

namespace AspireStreaming.StreamApi.Delivery;

/// <summary>
/// Where everybody waits who was refused by Redis: with growing pauses, which end at once when any command succeeds or a
/// connection comes back.
/// </summary>
internal sealed class RedisGate : IDisposable
{
    private static readonly TimeSpan[] Pauses = [.. new[] { 1, 2, 4, 8, 16, 25 }.Select(seconds => TimeSpan.FromSeconds(seconds))];

    private readonly IConnectionMultiplexer _redis;
    private readonly TimeProvider _time;
    private TaskCompletionSource _reopened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _failing;

    public RedisGate(IConnectionMultiplexer redis, TimeProvider time)
    {
        _redis = redis;
        _time = time;
        redis.ConnectionRestored += OnRestored;
    }

    /// <summary>Raised when a connection to Redis is back.</summary>
    public event Action? Restored;

    /// <summary>Whether the last command failed.</summary>
    public bool IsFailing => Volatile.Read(ref _failing) != 0;

    /// <summary>A command succeeded.</summary>
    public void Succeeded()
    {
        if (IsFailing)
        {
            Volatile.Write(ref _failing, 0);
            Open();
        }
    }

    /// <summary>A command failed: waits before the next try.</summary>
    /// <param name="attempt">0 for the first failure in a row.</param>
    /// <param name="cancellationToken">Ends waiting.</param>
    public async Task WaitAsync(int attempt, CancellationToken cancellationToken)
    {
        var reopened = Volatile.Read(ref _reopened);
        Volatile.Write(ref _failing, 1);
        var pause = Pauses[Math.Min(attempt, Pauses.Length - 1)];
        pause = (pause / 2) + (pause / 2 * Random.Shared.NextDouble());
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await Task.WhenAny(reopened.Task, Task.Delay(pause, _time, end.Token));
        await end.CancelAsync();
        cancellationToken.ThrowIfCancellationRequested();
    }

    public void Dispose() => _redis.ConnectionRestored -= OnRestored;

    private void OnRestored(object? sender, ConnectionFailedEventArgs arguments)
    {
        Open();
        Restored?.Invoke();
    }

    private void Open() => Interlocked.Exchange(ref _reopened, new(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
}
