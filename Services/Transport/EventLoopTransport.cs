using System.Buffers;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Options;

namespace AspireStreaming.Transport;

/// <summary>
/// Kestrel's transport over event loops: connections that send requests and wait for their answers cost no change of thread but the
/// loop's own. Linux only; for what it cannot bind, the server takes its own transport. Thread-safe.
/// </summary>
internal sealed class EventLoopTransport(IMemoryPoolFactory<byte> memory, IOptions<SocketTransportOptions> options, int loops)
    : IConnectionListenerFactory, IConnectionListenerFactorySelector, IDisposable
{
    private readonly Lazy<EventLoop[]> _loops = new(
        () => [.. Enumerable.Range(0, loops).Select(index => new EventLoop($"Connections {index}"))]);

    private readonly MemoryPool<byte> _memory = memory.Create();

    public bool CanBind(EndPoint endpoint) => endpoint is IPEndPoint or System.Net.Sockets.UnixDomainSocketEndPoint;

    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
    {
        var socket = options.Value.CreateBoundListenSocket(endpoint);
        socket.Listen(options.Value.Backlog);
        return new(new EventLoopListener(socket, _loops.Value, _memory, options.Value));
    }

    public void Dispose()
    {
        if (_loops.IsValueCreated)
        {
            foreach (var loop in _loops.Value)
            {
                loop.Dispose();
            }
        }

        _memory.Dispose();
    }
}
