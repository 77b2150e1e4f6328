using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using AspireStreaming.TestSupport.Processes;

namespace AspireStreaming.TestSupport.Faults;

/// <summary>
/// A TCP relay on 127.0.0.1 whose link a test can spoil: latency, a limited rate, resets, refusals, silence in one or both ways.
/// Placed by connection string, it partitions one service from one server without root.
/// </summary>
/// <remarks>
/// Silence (<see cref="Stall"/>) is what a dead network looks like: nothing passes, not even a close, and new connections are
/// accepted by nobody who answers. What was under way passes when the silence ends, as TCP would have sent it again.
/// </remarks>
public sealed class TcpFaultProxy : IAsyncDisposable
{
    private static readonly TimeSpan DialTimeout = TimeSpan.FromSeconds(5);

    private readonly TcpListener _listener;
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<FaultyLink, Task> _links = new();
    private readonly Task _accepting;
    private volatile int _targetPort;
    private volatile bool _isRefusing;
    private long _delayTicks;
    private int _bytesPerSecond;
    private int _accepted;

    private TcpFaultProxy(TcpListener listener, int targetPort)
    {
        _listener = listener;
        _targetPort = targetPort;
        Port = ((IPEndPoint)listener.LocalEndpoint).Port;
        _accepting = AcceptAsync();
    }

    /// <summary>Where clients dial.</summary>
    public int Port { get; }

    /// <summary>Where new connections lead; changed when the server's place is taken by another.</summary>
    public int TargetPort
    {
        get => _targetPort;
        set => _targetPort = value;
    }

    /// <summary>Added to each way.</summary>
    public TimeSpan Delay
    {
        get => TimeSpan.FromTicks(Interlocked.Read(ref _delayTicks));
        set => Interlocked.Exchange(ref _delayTicks, value.Ticks);
    }

    /// <summary>Most bytes that pass in a second, each way of each connection; 0 = no limit.</summary>
    public int BytesPerSecond
    {
        get => Volatile.Read(ref _bytesPerSecond);
        set => Volatile.Write(ref _bytesPerSecond, value);
    }

    /// <summary>How many connections were ever accepted.</summary>
    public int Accepted => Volatile.Read(ref _accepted);

    /// <summary>How many connections are open.</summary>
    public int Open => _links.Count;

    internal Valve ToServer { get; } = new();

    internal Valve ToClient { get; } = new();

    /// <summary>Starts relaying to a port of this machine.</summary>
    /// <param name="targetPort">The server's port.</param>
    public static TcpFaultProxy Start(int targetPort)
    {
        for (var attempt = 1; ; attempt++)
        {
            var listener = new TcpListener(IPAddress.Loopback, ServerPorts.PickFree());
            try
            {
                listener.Start(backlog: 1024);
                return new TcpFaultProxy(listener, targetPort);
            }
            catch (SocketException) when (attempt < 5)
            {
                listener.Dispose();
            }
        }
    }

    /// <summary>Nothing passes in these directions any more, on present and new connections.</summary>
    public void Stall(LinkDirections directions = LinkDirections.Both)
    {
        if (directions.HasFlag(LinkDirections.ToServer))
        {
            ToServer.Close();
        }

        if (directions.HasFlag(LinkDirections.ToClient))
        {
            ToClient.Close();
        }
    }

    /// <summary>Nothing passes on the connections that exist now, for good; new ones work. So looks a forgotten entry of a NAT.</summary>
    public void StallExisting()
    {
        foreach (var link in _links.Keys)
        {
            link.Stall();
        }
    }

    /// <summary>Resets every connection; new ones work.</summary>
    public void Reset()
    {
        foreach (var link in _links.Keys)
        {
            link.Reset();
        }
    }

    /// <summary>Resets every connection and every new one until <see cref="Mend"/>.</summary>
    public void Refuse()
    {
        _isRefusing = true;
        Reset();
    }

    /// <summary>The link is as good as new. Connections that <see cref="StallExisting"/> silenced are reset.</summary>
    public void Mend()
    {
        _isRefusing = false;
        Delay = TimeSpan.Zero;
        BytesPerSecond = 0;
        ToServer.Reopen();
        ToClient.Reopen();
        foreach (var link in _links.Keys.Where(link => link.IsStalled))
        {
            link.Reset();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        await _accepting;
        foreach (var link in _links.Keys)
        {
            link.Reset();
        }

        await Task.WhenAll(_links.Values);
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                var client = await _listener.AcceptSocketAsync(_stop.Token);
                Interlocked.Increment(ref _accepted);
                if (_isRefusing)
                {
                    client.LingerState = new LingerOption(enable: true, seconds: 0);
                    client.Dispose();
                    continue;
                }

                var link = new FaultyLink(this, client);
                _links[link] = Task.CompletedTask;
                _links.TryUpdate(link, RunAsync(link), Task.CompletedTask);
            }
            catch (Exception exception) when (exception is SocketException or ObjectDisposedException or OperationCanceledException)
            {
                // Stopped, or a client that was gone before it was accepted.
            }
        }
    }

    private async Task RunAsync(FaultyLink link)
    {
        await Task.Yield();
        using (link)
        {
            await link.RunAsync(_targetPort, DialTimeout, _stop.Token);
            _links.TryRemove(link, out _);
        }
    }
}
