using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace AspireStreaming.Hosting.Local.Tests.Proxy;

/// <summary>Says its name to whom it accepts, then gives back what it gets.</summary>
internal sealed class NamedServer : IAsyncDisposable
{
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly ConcurrentBag<Socket> _clients = [];
    private readonly byte[] _name;
    private readonly Task _running;

    public NamedServer(string name)
    {
        _name = Encoding.ASCII.GetBytes(name);
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen();
        EndPoint = (IPEndPoint)_listener.LocalEndPoint!;
        _running = AcceptAsync();
    }

    public IPEndPoint EndPoint { get; }

    public async ValueTask DisposeAsync()
    {
        _listener.Dispose();
        foreach (var client in _clients)
        {
            client.Dispose();
        }

        await _running;
    }

    private async Task AcceptAsync()
    {
        var serving = new List<Task>();
        try
        {
            while (true)
            {
                var client = await _listener.AcceptAsync();
                _clients.Add(client);
                serving.Add(EchoAsync(client));
            }
        }
        catch (SocketException)
        {
            // Disposed.
        }

        await Task.WhenAll(serving);
    }

    private async Task EchoAsync(Socket client)
    {
        try
        {
            await client.SendAsync(_name);
            var buffer = new byte[1 << 16];
            while (await client.ReceiveAsync(buffer) is > 0 and var count)
            {
                await client.SendAsync(buffer.AsMemory(0, count));
            }

            client.Dispose();
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The client went, or the server was disposed.
        }
    }
}
