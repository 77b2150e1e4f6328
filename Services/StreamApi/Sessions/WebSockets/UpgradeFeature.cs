using Microsoft.AspNetCore.Http.Features;

namespace AspireStreaming.StreamApi.Sessions.WebSockets;

/// <summary>Puts an <see cref="UpgradedStream"/> below the WebSocket that ASP.NET Core makes of an upgraded request.</summary>
internal sealed class UpgradeFeature(IHttpUpgradeFeature inner) : IHttpUpgradeFeature
{
    public bool IsUpgradableRequest => inner.IsUpgradableRequest;

    /// <summary>The stream; null before the upgrade.</summary>
    public UpgradedStream? Stream { get; private set; }

    public async Task<Stream> UpgradeAsync()
    {
        Stream = new UpgradedStream(await inner.UpgradeAsync());
        return Stream;
    }
}
