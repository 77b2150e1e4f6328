using System.Net;

namespace Aspire.Hosting.Local;

internal sealed class TcpProxy : IAsyncDisposable
{
    /// <summary>Takes the port (0: a free one), so that <see cref="Port"/> is known; connections are refused until <see cref="Start"/>.</summary>
    public TcpProxy(IPAddress address, int port) => throw new NotImplementedException();

    public int Port { get; }

    public void Start() => throw new NotImplementedException();

    public void SetTargets(IReadOnlyList<IPEndPoint> targets) => throw new NotImplementedException();

    public ValueTask DisposeAsync() => throw new NotImplementedException();
}
