using System.Net;
using System.Net.Sockets;

namespace AspireStreaming.TestSupport;

/// <summary>Two connected sockets of this machine; the server's does not block.</summary>
public sealed class SocketPair : IDisposable
{
    private SocketPair(Socket client, Socket server)
    {
        Client = client;
        Server = server;
    }

    /// <summary>The end that connected.</summary>
    public Socket Client { get; }

    /// <summary>The end that was accepted.</summary>
    public Socket Server { get; }

    /// <summary>Connects them.</summary>
    public static async Task<SocketPair> ConnectAsync(CancellationToken cancellationToken)
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await client.ConnectAsync(listener.LocalEndPoint!, cancellationToken);
        var server = await listener.AcceptAsync(cancellationToken);
        server.Blocking = false;
        return new SocketPair(client, server);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Server.Dispose();
        Client.Dispose();
    }
}
