using System.ComponentModel;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;

namespace AspireStreaming.Transport;

/// <summary>Accepts connections and gives each to the event loop that has the fewest.</summary>
internal sealed class EventLoopListener(Socket socket, EventLoop[] loops, PipeOptions pipe, bool noDelay)
    : IConnectionListener
{
    public EndPoint EndPoint { get; } = socket.LocalEndPoint!;

    public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
    {
        while (true)
        {
            Socket accepted;
            try
            {
                accepted = await socket.AcceptAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (ObjectDisposedException)
            {
                return null;
            }
            catch (SocketException exception) when (exception.SocketErrorCode == SocketError.OperationAborted)
            {
                return null;
            }
            catch (SocketException)
            {
                // The peer has left in the queue; the next one is waiting.
                continue;
            }

            try
            {
                if (accepted.ProtocolType == ProtocolType.Tcp)
                {
                    accepted.NoDelay = noDelay;
                }

                accepted.Blocking = false;
                var connection = new EventLoopConnection(accepted, pipe);
                connection.Start(loops.MinBy(loop => loop.Count)!);
                return connection;
            }
            catch (Win32Exception)
            {
                // The peer has left meanwhile, or the system can't wait for one more: the next may be luckier.
                accepted.Dispose();
            }
        }
    }

    public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
    {
        socket.Dispose();
        return default;
    }

    public ValueTask DisposeAsync() => UnbindAsync(CancellationToken.None);
}
