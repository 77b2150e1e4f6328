using System.Net;
using System.Net.Sockets;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Local;

namespace Aspire.Hosting.Orchestration;

/// <summary>The public port of an endpoint, on every address that its host name stands for.</summary>
internal sealed class EndpointProxy : IAsyncDisposable
{
    private readonly IReadOnlyList<TcpProxy> _listeners;
    private IReadOnlyList<int> _targets = [];

    private EndpointProxy(EndpointAnnotation endpoint, IReadOnlyList<TcpProxy> listeners)
    {
        Endpoint = endpoint;
        _listeners = listeners;
    }

    public EndpointAnnotation Endpoint { get; }

    public static EndpointProxy Create(EndpointAnnotation endpoint, int port)
    {
        var listeners = new List<TcpProxy>();
        foreach (var address in EndpointAllocation.ListenAddresses(endpoint.TargetHost))
        {
            try
            {
                listeners.Add(new TcpProxy(address, port));
            }
            catch (SocketException exception) when (exception.SocketErrorCode == SocketError.AddressNotAvailable && listeners.Count > 0)
            {
                // IPv6 is supported but switched off: IPv4 alone is what "localhost" means here.
            }
            catch (SocketException exception)
            {
                throw new DistributedApplicationException(
                    $"Port {port} of endpoint '{endpoint.Name}' cannot be listened on: {exception.Message}.", exception);
            }
        }

        return new EndpointProxy(endpoint, listeners);
    }

    public void Start()
    {
        foreach (var listener in _listeners)
        {
            listener.Start();
        }
    }

    public void SetTargets(IReadOnlyList<int> ports)
    {
        if (ports.SequenceEqual(_targets))
        {
            return;
        }

        _targets = ports;
        var targets = ports.Select(port => new IPEndPoint(IPAddress.Loopback, port)).ToArray();
        foreach (var listener in _listeners)
        {
            listener.SetTargets(targets);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var listener in _listeners)
        {
            await listener.DisposeAsync().ConfigureAwait(false);
        }
    }
}
