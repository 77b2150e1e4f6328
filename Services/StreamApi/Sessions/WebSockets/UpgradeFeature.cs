using AspireStreaming.Transport;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;

namespace AspireStreaming.StreamApi.Sessions.WebSockets;

/// <summary>Puts an <see cref="UpgradedStream"/> below the WebSocket that ASP.NET Core makes of an upgraded request.</summary>
/// <param name="inner">The server's own.</param>
/// <param name="connection">The connection below the request; null when it cannot be told.</param>
internal sealed class UpgradeFeature(IHttpUpgradeFeature inner, IConnectionTransportFeature? connection) : IHttpUpgradeFeature
{
    public bool IsUpgradableRequest => inner.IsUpgradableRequest;

    /// <summary>The stream; null before the upgrade.</summary>
    public UpgradedStream? Stream { get; private set; }

    public async Task<Stream> UpgradeAsync()
    {
        // With TLS, or anything else between the request and the socket, the connection's output is that, and must not be passed by.
        Stream = new UpgradedStream(await inner.UpgradeAsync(), connection?.Transport.Output as SocketPipeWriter);
        return Stream;
    }
}
