using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace AspireStreaming.Transport;

/// <summary>
/// Kestrel's transport over event loops: connections that send requests and wait for their answers cost no change of thread but the
/// loop's own. Linux only; for what it cannot bind, the server takes its own transport. Thread-safe.
/// </summary>
internal sealed class EventLoopTransport : IConnectionListenerFactory, IConnectionListenerFactorySelector, IDisposable
{
    private readonly Lazy<EventLoop[]> _loops;
    private readonly SocketTransportOptions _options;
    private readonly PipeOptions _pipe;
    private readonly int _count;

    /// <param name="memory">Where what is received is kept until it is read.</param>
    /// <param name="options">Of the sockets.</param>
    /// <param name="count">How many threads; with none it binds nothing.</param>
    /// <param name="arePatient">Whether they leave a processor to who has it until it is their turn.</param>
    public EventLoopTransport(IMemoryPoolFactory<byte> memory, SocketTransportOptions options, int count, bool arePatient)
    {
        _loops = new(() => [.. Enumerable.Range(0, count).Select(index => new EventLoop($"Connections {index}", arePatient))]);
        _count = count;
        _options = options;
        var most = options.MaxReadBufferSize ?? 0;
        _pipe = new PipeOptions(memory.Create(), PipeScheduler.Inline, PipeScheduler.Inline, most, most / 2, useSynchronizationContext: false);
    }

    public bool CanBind(EndPoint endpoint) => _count > 0 && endpoint is (IPEndPoint or UnixDomainSocketEndPoint);

    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
    {
        var socket = _options.CreateBoundListenSocket(endpoint);
        socket.Listen(_options.Backlog);
        return new(new EventLoopListener(socket, _loops.Value, _pipe, _options.NoDelay));
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

        _pipe.Pool.Dispose();
    }
}
