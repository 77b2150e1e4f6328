using System.Buffers;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace AspireStreaming.Transport;

/// <summary>Accepts connections and gives each to the event loop that has the fewest.</summary>
internal sealed class EventLoopListener(Socket socket, EventLoop[] loops, MemoryPool<byte> memory, SocketTransportOptions options)
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
                    accepted.NoDelay = options.NoDelay;
                }

                accepted.Blocking = false;
                var connection = new EventLoopConnection(accepted, memory, options.MaxReadBufferSize ?? long.MaxValue);
                connection.Start(loops.MinBy(loop => loop.Count)!);
                return connection;
            }
            catch (SocketException)
            {
                // The peer has left meanwhile.
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
