using System.Reflection;
using StackExchange.Redis;

namespace AspireStreaming.Streaming.Redis.Link;

/// <summary>
/// The process's connections to Redis, which can be replaced as a whole: whoever holds <see cref="Multiplexer"/> goes on with the new
/// ones. Its event handlers move along; subscriptions do not, their owners renew them on <see cref="Replaced"/>. Thread-safe.
/// </summary>
public sealed class RedisLink : IDisposable
{
    private readonly Func<IConnectionMultiplexer> _connect;
    private readonly Lock _lock = new();
    private readonly List<(EventInfo Event, Delegate Handler)> _listeners = [];
    private Connected _connected;

    /// <summary>Connects.</summary>
    /// <param name="connect">Makes new connections; does not fail when Redis is away, but goes on trying.</param>
    public RedisLink(Func<IConnectionMultiplexer> connect)
    {
        _connect = connect;
        _connected = new Connected(connect());
        Multiplexer = RedisMultiplexerProxy.Create(this);
    }

    /// <summary>Raised when the connections were replaced.</summary>
    public event Action? Replaced;

    /// <summary>Stands for the connections in use, for as long as the process lives.</summary>
    public IConnectionMultiplexer Multiplexer { get; }

    internal IConnectionMultiplexer Current => Volatile.Read(ref _connected).Multiplexer;

    internal IDatabase Database => Volatile.Read(ref _connected).Database;

    /// <inheritdoc/>
    public void Dispose() => Current.Dispose();

    internal IConnectionMultiplexer Connect() => _connect();

    /// <summary>Takes new connections into use.</summary>
    /// <returns>The old ones, for the caller to dispose of.</returns>
    internal IConnectionMultiplexer Replace(IConnectionMultiplexer successor)
    {
        IConnectionMultiplexer old;
        lock (_lock)
        {
            old = _connected.Multiplexer;
            foreach (var (item, handler) in _listeners)
            {
                item.RemoveEventHandler(old, handler);
                item.AddEventHandler(successor, handler);
            }

            Volatile.Write(ref _connected, new Connected(successor));
        }

        Replaced?.Invoke();
        return old;
    }

    internal void Listen(EventInfo item, Delegate handler, bool isAdded)
    {
        lock (_lock)
        {
            if (isAdded)
            {
                _listeners.Add((item, handler));
                item.AddEventHandler(_connected.Multiplexer, handler);
            }
            else if (_listeners.Remove((item, handler)))
            {
                item.RemoveEventHandler(_connected.Multiplexer, handler);
            }
        }
    }

    private sealed class Connected(IConnectionMultiplexer multiplexer)
    {
        public IConnectionMultiplexer Multiplexer => multiplexer;

        public IDatabase Database { get; } = multiplexer.GetDatabase();
    }
}
