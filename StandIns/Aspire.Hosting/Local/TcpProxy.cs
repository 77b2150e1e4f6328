using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Aspire.Hosting.Local;

/// <summary>
/// The public port of an endpoint: takes each new connection to the next of the targets, or the one after it if that refuses.
/// Connections that exist stay where they are. A loopback port is served for IPv4 and IPv6, because <c>localhost</c> is both.
/// </summary>
internal sealed class TcpProxy : IAsyncDisposable
{
    private const int Backlog = 512;
    private const int MaxConnections = 20_000;

    private static readonly TimeSpan AcceptRetryPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan StopDeadline = TimeSpan.FromSeconds(5);

    private readonly List<Socket> _listeners = [];
    private readonly List<Task> _acceptLoops = [];
    private readonly ConcurrentDictionary<ProxiedConnection, Task> _connections = new();
    private readonly CancellationTokenSource _stopping = new();
    private IReadOnlyList<IPEndPoint> _targets = [];
    private uint _next;
    private int _disposed;

    /// <summary>Takes the port (0: a free one), so that <see cref="Port"/> is known; connections are refused until <see cref="Start"/>.</summary>
    public TcpProxy(IPAddress address, int port)
    {
        var listener = Bind(new IPEndPoint(address, port));
        _listeners.Add(listener);
        Port = ((IPEndPoint)listener.LocalEndPoint!).Port;
        var sibling = address.Equals(IPAddress.Loopback) ? IPAddress.IPv6Loopback : address.Equals(IPAddress.Any) ? IPAddress.IPv6Any : null;
        if (sibling is not null)
        {
            try
            {
                _listeners.Add(Bind(new IPEndPoint(sibling, Port)));
            }
            catch (DistributedApplicationException)
            {
                // No IPv6 here, or somebody has that port: IPv4 alone serves.
            }
        }
    }

    public int Port { get; }

    public void Start()
    {
        foreach (var listener in _listeners)
        {
            Listen(listener);
            _acceptLoops.Add(AcceptAsync(listener));
        }
    }

    /// <summary>Where new connections go from now on; with none they are closed at once.</summary>
    public void SetTargets(IReadOnlyList<IPEndPoint> targets) => Volatile.Write(ref _targets, [.. targets]);

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        await _stopping.CancelAsync();
        _listeners.ForEach(listener => listener.Dispose());
        await Task.WhenAll(_acceptLoops);
        foreach (var connection in _connections.Keys)
        {
            connection.Abort();
        }

        await Task.WhenAny(Task.WhenAll(_connections.Values), Task.Delay(StopDeadline));
        _stopping.Dispose();
    }

    private static Socket Bind(IPEndPoint endPoint)
    {
        Socket? socket = null;
        try
        {
            socket = new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            if (endPoint.AddressFamily == AddressFamily.InterNetworkV6)
            {
                socket.DualMode = false;
            }

            socket.Bind(endPoint);
            return socket;
        }
        catch (SocketException e)
        {
            socket?.Dispose();
            throw CannotListen(endPoint, e);
        }
    }

    private static void Listen(Socket listener)
    {
        try
        {
            listener.Listen(Backlog);
        }
        catch (SocketException e)
        {
            throw CannotListen(listener.LocalEndPoint!, e);
        }
    }

    private static DistributedApplicationException CannotListen(EndPoint endPoint, SocketException e) =>
        new(
            e.SocketErrorCode == SocketError.AddressAlreadyInUse
                ? $"Port {((IPEndPoint)endPoint).Port} is in use by another program (address {endPoint}). Is the AppHost already running?"
                : $"Cannot listen on {endPoint}: {e.Message}.",
            e);

    private async Task AcceptAsync(Socket listener)
    {
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                var client = await listener.AcceptAsync(_stopping.Token);
                if (_connections.Count >= MaxConnections)
                {
                    client.Dispose();
                    continue;
                }

                var connection = new ProxiedConnection(client);
                _connections[connection] = Task.CompletedTask;
                var running = Task.Run(() => ServeAsync(connection), CancellationToken.None);
                _connections.TryUpdate(connection, running, Task.CompletedTask);
            }
            catch (Exception) when (_stopping.IsCancellationRequested)
            {
                return;
            }
            catch (SocketException)
            {
                // Out of file descriptors, or the client went before it was accepted.
                await Task.WhenAny(Task.Delay(AcceptRetryPause, _stopping.Token));
            }
        }
    }

    private async Task ServeAsync(ProxiedConnection connection)
    {
        try
        {
            if (await ConnectAsync() is { } target)
            {
                await connection.RunAsync(target);
            }
        }
        finally
        {
            connection.Dispose();
            _connections.TryRemove(connection, out _);
        }
    }

    private async Task<Socket?> ConnectAsync()
    {
        var targets = Volatile.Read(ref _targets);
        if (targets.Count == 0)
        {
            return null;
        }

        var first = Interlocked.Increment(ref _next) - 1;
        for (uint i = 0; i < targets.Count; i++)
        {
            var target = targets[(int)((first + i) % (uint)targets.Count)];
            if (await ProxiedConnection.ConnectAsync(target, _stopping.Token) is { } socket)
            {
                return socket;
            }
        }

        return null;
    }
}
