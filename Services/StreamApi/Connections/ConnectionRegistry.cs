using System.Collections.Concurrent;
using AspireStreaming.ServiceDefaults.Health;
using Microsoft.Extensions.Options;

namespace AspireStreaming.StreamApi.Connections;

/// <summary>
/// The live connections of this replica. One ticker serves them all, where a timer for each would cost more than the connection.
/// </summary>
internal sealed class ConnectionRegistry(
    DrainState drain, IOptions<DeliveryOptions> options, TimeProvider time, ILogger<ConnectionRegistry> logger)
    : BackgroundService
{
    /// <summary>How long a client whose token has expired may take to read that it must go.</summary>
    private const long ExpiryGraceMilliseconds = 5_000;

    private const double LifetimeSpread = 0.2;

    private readonly ConcurrentDictionary<Guid, LiveConnection> _connections = new();
    private readonly DeliveryOptions _options = options.Value;
    private readonly long _heartbeat = (long)options.Value.Heartbeat.TotalMilliseconds;
    private readonly long _positionInterval = (long)options.Value.PositionInterval.TotalMilliseconds;
    private readonly long _writeTimeout = (long)options.Value.WriteTimeout.TotalMilliseconds;
    private int _count;
    private long _now = Milliseconds(time);

    /// <summary>Open connections.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Most connections.</summary>
    public int Max => _options.MaxConnections;

    /// <summary>A clock as exact as the ticker, in milliseconds; cheap enough to look at with every write.</summary>
    public long Now => Volatile.Read(ref _now);

    /// <summary>A moment on that clock; the end of time for none.</summary>
    public long ToClock(DateTimeOffset? moment) =>
        moment is { } at ? Now + (long)(at - time.GetUtcNow()).TotalMilliseconds : long.MaxValue;

    /// <summary>The open connections.</summary>
    public IEnumerable<LiveConnection> All => _connections.Values;

    /// <summary>Takes a place for a connection, which <see cref="Leave"/> gives back; false when there is none. Called by admission.</summary>
    /// <param name="reserve">Places on top.</param>
    public bool TryEnter(int reserve)
    {
        if (Interlocked.Increment(ref _count) <= _options.MaxConnections + reserve)
        {
            return true;
        }

        Interlocked.Decrement(ref _count);
        return false;
    }

    /// <summary>Gives a place back.</summary>
    public void Leave() => Interlocked.Decrement(ref _count);

    /// <summary>Adds a connection that has a place.</summary>
    public void Add(LiveConnection connection)
    {
        // Connections that began together do not end together.
        var lifetime = _options.ConnectionLifetime * (1 - LifetimeSpread + (2 * LifetimeSpread * Random.Shared.NextDouble()));
        connection.EndsAt = Now + (long)lifetime.TotalMilliseconds;
        _connections[connection.Key] = connection;
        if (drain.IsDraining)
        {
            connection.Drain(DrainReasons.Shutdown);
        }
    }

    /// <summary>Removes a connection.</summary>
    public void Remove(LiveConnection connection) => _connections.TryRemove(connection.Key, out _);

    /// <summary>Ends a connection; false when there is none of that id.</summary>
    public bool Close(string id)
    {
        if (!Guid.TryParseExact(id, "N", out var key) || !_connections.TryGetValue(key, out var connection))
        {
            return false;
        }

        connection.Drain(DrainReasons.Closed);
        return true;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await using var draining = drain.Draining.UnsafeRegister(static state => ((ConnectionRegistry)state!).DrainAll(), this);
        var shortest = Math.Min(Math.Min(_heartbeat, _positionInterval), Math.Min(_writeTimeout, (long)_options.ConnectionLifetime.TotalMilliseconds));
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(Math.Clamp(shortest / 8, 10, 500)), time);
        try
        {
            // Ticks until every connection is gone: also a draining one may be stuck in a write.
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                Tick();
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The host stops.
        }
    }

    private static long Milliseconds(TimeProvider time) => (long)time.GetElapsedTime(0, time.GetTimestamp()).TotalMilliseconds;

    private void Tick()
    {
        var now = Milliseconds(time);
        Volatile.Write(ref _now, now);
        foreach (var (_, connection) in _connections)
        {
            if (!connection.OnTick(now, _heartbeat, _positionInterval, _writeTimeout))
            {
                StreamApiLog.WriteTimedOut(logger, connection.Id, _options.WriteTimeout);
                Abort(connection);
            }
            else if (now >= connection.ExpiresAt)
            {
                EndExpired(connection, now);
            }
        }
    }

    private static void EndExpired(LiveConnection connection, long now)
    {
        if (now - connection.ExpiresAt < ExpiryGraceMilliseconds)
        {
            connection.Drain(DrainReasons.TokenExpired);
        }
        else
        {
            Abort(connection);
        }
    }

    private static void Abort(LiveConnection connection)
    {
        try
        {
            connection.Abort();
        }
        catch (ObjectDisposedException)
        {
            // It ended by itself after it was looked at, and took its request along.
        }
    }

    private void DrainAll()
    {
        StreamApiLog.Draining(logger, Count, DrainReasons.Shutdown);
        foreach (var (_, connection) in _connections)
        {
            connection.Drain(DrainReasons.Shutdown);
        }
    }
}

/// <summary>Values of <c>reason</c> in <c>stream.drain</c>.</summary>
internal static class DrainReasons
{
    /// <summary>The replica stops.</summary>
    public const string Shutdown = "shutdown";

    /// <summary>An operator closed the connection.</summary>
    public const string Closed = "closed";

    /// <summary>The client's token has expired; it may come back with a new one.</summary>
    public const string TokenExpired = "token-expired";

    /// <summary>Nothing was received or delivered for long.</summary>
    public const string Idle = "idle";

    /// <summary>The connection has lived as long as it may.</summary>
    public const string Lifetime = "lifetime";

    /// <summary>The subscriber fell behind further than its policy allows.</summary>
    public const string Lag = "lag";
}
