using System.Net;
using System.Net.Sockets;
using System.Text;

namespace AspireStreaming.FailureSuite.Tests.Scenarios;

/// <summary>A TCP connection that sends what it likes and never reads.</summary>
internal sealed class RawClient : IDisposable
{
    private readonly Socket _socket;

    private RawClient(Socket socket) => _socket = socket;

    /// <summary>Whether the other side has closed or reset the connection. Unread bytes are left unread.</summary>
    public bool IsClosedByPeer
    {
        get
        {
            try
            {
                // A close after unread bytes shows only in the connection's state.
                var state = new TcpState(_socket);
                return state.IsClosing;
            }
            catch (SocketException)
            {
                return true;
            }
        }
    }

    public static async Task<RawClient> ConnectAsync(Uri address, CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveBufferSize = 4096 };
        await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, address.Port), cancellationToken);
        return new RawClient(socket);
    }

    public async Task SendAsync(string text, CancellationToken cancellationToken) =>
        await _socket.SendAsync(Encoding.ASCII.GetBytes(text), cancellationToken);

    /// <summary>Sends unless the connection is gone.</summary>
    public async Task TrySendAsync(string text, CancellationToken cancellationToken)
    {
        try
        {
            await SendAsync(text, cancellationToken);
        }
        catch (SocketException)
        {
            // Thrown out; that is what the caller waits for.
        }
    }

    public void Dispose() => _socket.Dispose();

    /// <summary>The kernel's word on a connection: <c>TCP_INFO</c>, whose first byte is the state.</summary>
    private readonly struct TcpState(Socket socket)
    {
        private const int TcpLevel = 6;
        private const int TcpInfo = 11;
        private const byte Established = 1;

        public bool IsClosing
        {
            get
            {
                Span<byte> info = stackalloc byte[256];
                return socket.GetRawSocketOption(TcpLevel, TcpInfo, info) > 0 && info[0] != Established;
            }
        }
    }
}
