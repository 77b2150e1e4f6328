using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireStreaming.Streaming.Redis.Wire;

/// <summary>
/// A connection to Redis for appends, beside the client library's. It is there only while it leads to the same process of Redis as the
/// client's, and while nothing has made the fence distrust what it knows of that; else appends go by the client. Opened with the first
/// append, and again when it was lost. Thread-safe.
/// </summary>
public sealed class DirectConnection : IAsyncDisposable, IDisposable
{
    private const string Purpose = "appends";

    /// <summary>A connection that lived shorter is not opened again at once.</summary>
    private static readonly TimeSpan ShortLife = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(2);

    private readonly IConnectionMultiplexer _redis;
    private readonly ConfigurationOptions _configuration;
    private readonly PartitionFence _fence;
    private readonly RedisGate? _gate;
    private readonly TimeSpan _timeout;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Opened? _opened;
    private Task? _running;

    /// <summary>Creates it; nothing is connected yet.</summary>
    /// <param name="redis">The client library's connections.</param>
    /// <param name="configuration">How those are made.</param>
    /// <param name="fence">The process's fence.</param>
    /// <param name="options">Times.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">The log.</param>
    /// <param name="gate">Tells that Redis is back; null where nobody knows.</param>
    public DirectConnection(
        IConnectionMultiplexer redis,
        ConfigurationOptions configuration,
        PartitionFence fence,
        IOptions<HotLogOptions> options,
        TimeProvider time,
        ILogger<DirectConnection> logger,
        RedisGate? gate = null)
    {
        _redis = redis;
        _configuration = configuration;
        _fence = fence;
        _gate = gate;
        _timeout = options.Value.CommandTimeout;
        _time = time;
        _logger = logger;
        fence.Distrusted += OnChanged;
        if (gate is not null)
        {
            gate.Restored += OnChanged;
        }
    }

    /// <summary>The connection, if one may be used now.</summary>
    internal CommandConnection? Current
    {
        get
        {
            if (Volatile.Read(ref _opened) is { } opened)
            {
                return opened.Generation == _fence.Generation && opened.Connection.IsOpen ? opened.Connection : null;
            }

            if (_running is null)
            {
                Start();
            }

            return null;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_lock)
        {
            if (!_stop.IsCancellationRequested)
            {
                _fence.Distrusted -= OnChanged;
                if (_gate is not null)
                {
                    _gate.Restored -= OnChanged;
                }

                _stop.Cancel();
            }
        }

        Volatile.Read(ref _opened)?.Connection.Dispose();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        Dispose();
        if (_running is { } running)
        {
            await ((Task)running.WaitAsync(StopTimeout, _time)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private void Start()
    {
        lock (_lock)
        {
            if (_running is null && !_stop.IsCancellationRequested)
            {
                using var suppressed = ExecutionContext.SuppressFlow();
                _running = Task.Run(RunAsync);
            }
        }
    }

    private void OnChanged() => Volatile.Read(ref _changed).TrySetResult();

    /// <summary>What is done when something has changed that was looked at after this call.</summary>
    private Task Arm()
    {
        var changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Volatile.Write(ref _changed, changed);
        return changed.Task;
    }

    private async Task RunAsync()
    {
        var stop = _stop.Token;
        var backoff = new Backoff();
        while (!stop.IsCancellationRequested)
        {
            var changed = Arm();
            try
            {
                var generation = _fence.Generation;
                if (await OpenAsync(stop).ConfigureAwait(false) is { } connection)
                {
                    var start = _time.GetTimestamp();
                    var wasLost = await UseAsync(new Opened(connection, generation), stop).ConfigureAwait(false);
                    if (_time.GetElapsedTime(start) > ShortLife)
                    {
                        backoff.Reset();
                        continue;
                    }

                    if (!wasLost)
                    {
                        continue;
                    }

                    changed = Arm();
                }
            }
            catch (Exception exception) when (!stop.IsCancellationRequested)
            {
                // Whatever it was: appends go by the client, whose checks tell everybody if Redis is away.
                DirectConnectionLog.NotOpened(_logger, exception);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            await Task.WhenAny(changed, Task.Delay(backoff.Next(), _time, stop)).ConfigureAwait(false);
        }
    }

    /// <summary>Opens a connection to the one master, if it leads to the process that the client is connected to.</summary>
    private async Task<CommandConnection?> OpenAsync(CancellationToken cancellationToken)
    {
        if (SoleMaster.Find(_redis) is not { } master || WireSettings.From(_configuration, master.EndPoint, Purpose) is not { } settings)
        {
            return null;
        }

        var connection = new CommandConnection(settings, _timeout, _time);
        try
        {
            await connection.OpenAsync(_time, cancellationToken).ConfigureAwait(false);
            var info = (string)(await _redis.GetDatabase().ExecuteAsync("INFO", "server")
                .WaitAsync(_timeout, _time, cancellationToken).ConfigureAwait(false))!;
            if (connection.IsMaster && connection.RunId == WireConnection.Field(info, "run_id:"))
            {
                return connection;
            }
        }
        catch
        {
            connection.Dispose();
            throw;
        }

        connection.Dispose();
        return null;
    }

    /// <summary>Lets it be used until it is closed or what was known when it was opened is not relied on any more.</summary>
    /// <returns>Whether it was closed.</returns>
    private async Task<bool> UseAsync(Opened opened, CancellationToken cancellationToken)
    {
        var closed = opened.Connection.Closed;
        Volatile.Write(ref _opened, opened);
        DirectConnectionLog.Opened(_logger);
        using var stopped = cancellationToken.UnsafeRegister(static state => ((CommandConnection)state!).Dispose(), opened.Connection);
        for (var changed = Arm(); !closed.IsCompleted && opened.Generation == _fence.Generation; changed = Arm())
        {
            await Task.WhenAny(closed, changed).ConfigureAwait(false);
        }

        Volatile.Write(ref _opened, null);
        if (!closed.IsCompleted)
        {
            opened.Connection.Retire();
            return false;
        }

        // Redis may be another process by now: it is asked before anything is appended, by whichever connection.
        DirectConnectionLog.Lost(_logger, await closed.ConfigureAwait(false));
        _fence.Distrust();
        return true;
    }

    private sealed record Opened(CommandConnection Connection, int Generation);
}
