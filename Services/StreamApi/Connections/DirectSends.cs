using System.Net.Sockets;
using AspireStreaming.Transport;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace AspireStreaming.StreamApi.Connections;

/// <summary>Connections that send in the thread that flushes.</summary>
internal static class DirectSends
{
    /// <summary>
    /// Puts <see cref="SocketPipeWriter"/> in the place of the transport's output, below everything that speaks a protocol (TLS,
    /// HTTP/1.1, HTTP/2), so that nothing is sent past it. The transport's own end stays idle and closes the socket as ever. Event
    /// loops have it already.
    /// </summary>
    public static void SendDirectly(this ListenOptions listen) => listen.Use(next => connection =>
    {
        if (connection.Transport is not SocketPipeWriter && connection.Features.Get<IConnectionSocketFeature>()?.Socket is { } socket)
        {
            try
            {
                // A full socket must not hold up the thread.
                socket.Blocking = false;
                connection.Transport = new SocketPipeWriter(socket, connection.Transport.Input);
            }
            catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
            {
                // It is gone already; the transport tells those above.
            }
        }

        return next(connection);
    });
}
