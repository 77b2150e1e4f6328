using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireStreaming.Streaming.Redis.Wire;

/// <summary>
/// A connection to Redis for appends, beside the client library's. It is there only while it leads to the same process of Redis as the
/// client's, and while nothing has made the fence distrust what it knows of that; else appends go by the client. Opened with the first
/// append, and again when it was lost. Thread-safe.
/// </summary>
public sealed class DirectConnection : DirectLink
{
    private const string Purpose = "appends";

    private readonly PartitionFence _fence;
    private Opened? _opened;

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
        : base(redis, configuration, options.Value, time, logger, gate)
    {
        _fence = fence;
        fence.Distrusted += OnChanged;
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

            Start();
            return null;
        }
    }

    private protected override void OnStopping() => _fence.Distrusted -= OnChanged;

    private protected override async Task RunAsync(CancellationToken stop)
    {
        var backoff = new Backoff();
        while (!stop.IsCancellationRequested)
        {
            var changed = Arm();
            try
            {
                var generation = _fence.Generation;
                if (await OpenAsync(stop).ConfigureAwait(false) is { } connection)
                {
                    var start = Time.GetTimestamp();
                    var wasLost = await UseAsync(new Opened(connection, generation), stop).ConfigureAwait(false);
                    if (Time.GetElapsedTime(start) > ShortLife)
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
                DirectConnectionLog.NotOpened(Logger, exception);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            await Task.WhenAny(changed, Task.Delay(backoff.Next(), Time, stop)).ConfigureAwait(false);
        }
    }

    /// <summary>Opens a connection to the one master, if it leads to the process that the client is connected to.</summary>
    private async Task<CommandConnection?> OpenAsync(CancellationToken cancellationToken)
    {
        if (SoleMaster.Find(Redis) is not { } master || SettingsFor(master, Purpose) is not { } settings)
        {
            return null;
        }

        var connection = new CommandConnection(settings, Timeout, Time);
        try
        {
            await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
            var runId = await ReadClientRunIdAsync(cancellationToken).ConfigureAwait(false);
            if (connection.IsMaster && connection.RunId == runId)
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
        DirectConnectionLog.Opened(Logger);
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
        DirectConnectionLog.Lost(Logger, await closed.ConfigureAwait(false));
        _fence.Distrust();
        return true;
    }

    private sealed record Opened(CommandConnection Connection, int Generation);
}
