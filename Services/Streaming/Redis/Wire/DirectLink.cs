using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireStreaming.Streaming.Redis.Wire;

/// <summary>
/// A connection to Redis beside the client library's: opened with its first use, and again when it was lost, or leads elsewhere than the
/// client's. Thread-safe.
/// </summary>
public abstract class DirectLink : IAsyncDisposable, IDisposable
{
    /// <summary>A connection that lived shorter is not opened again at once.</summary>
    private protected static readonly TimeSpan ShortLife = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(2);

    private readonly ConfigurationOptions _configuration;
    private readonly RedisGate? _gate;
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();
    private TaskCompletionSource _changed = NewSignal();
    private Task? _running;

    private protected DirectLink(
        IConnectionMultiplexer redis, ConfigurationOptions configuration, HotLogOptions options, TimeProvider time, ILogger logger, RedisGate? gate)
    {
        Redis = redis;
        _configuration = configuration;
        Timeout = options.CommandTimeout;
        Time = time;
        Logger = logger;
        _gate = gate;
        if (gate is not null)
        {
            gate.Restored += OnChanged;
        }
    }

    private protected IConnectionMultiplexer Redis { get; }

    private protected TimeSpan Timeout { get; }

    private protected TimeProvider Time { get; }

    private protected ILogger Logger { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        GC.SuppressFinalize(this);
        lock (_lock)
        {
            if (_stop.IsCancellationRequested)
            {
                return;
            }

            OnStopping();
            if (_gate is not null)
            {
                _gate.Restored -= OnChanged;
            }

            _stop.Cancel();
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        Dispose();
        if (_running is { } running)
        {
            await ((Task)running.WaitAsync(StopTimeout, Time)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Begins to open it, if that has not begun.</summary>
    private protected void Start()
    {
        if (_running is not null)
        {
            return;
        }

        lock (_lock)
        {
            if (_running is null && !_stop.IsCancellationRequested)
            {
                using var suppressed = ExecutionContext.SuppressFlow();
                _running = Task.Run(() => RunAsync(_stop.Token));
            }
        }
    }

    /// <summary>Something has changed that decides about the connection.</summary>
    private protected void OnChanged() => Volatile.Read(ref _changed).TrySetResult();

    /// <summary>What is done when something has changed that was looked at after this call.</summary>
    private protected Task Arm()
    {
        var changed = NewSignal();
        Volatile.Write(ref _changed, changed);
        return changed.Task;
    }

    /// <summary>How it is connected to where the client is; null for what only the client can do.</summary>
    private protected WireSettings? SettingsFor(IServer server, string purpose) => WireSettings.From(_configuration, server.EndPoint, purpose);

    /// <summary>Of the process that the client is connected to, its <c>run_id</c>.</summary>
    private protected async Task<string?> ReadClientRunIdAsync(CancellationToken cancellationToken)
    {
        var info = (string)(await Redis.GetDatabase().ExecuteAsync("INFO", "server")
            .WaitAsync(Timeout, Time, cancellationToken).ConfigureAwait(false))!;
        return WireConnection.Field(info, "run_id:");
    }

    /// <summary>Opens it whenever it may be, until this stops.</summary>
    private protected abstract Task RunAsync(CancellationToken stop);

    /// <summary>Called once, when it is to stop.</summary>
    private protected virtual void OnStopping()
    {
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
