namespace AspireStreaming.Client.Following;

/// <summary>
/// Gives an upgrade request the service's own address, which may be a name that only the handlers behind this one can resolve and that
/// a WebSocket would refuse.
/// </summary>
internal sealed class UpgradeHandler(Uri address, HttpMessageHandler inner) : DelegatingHandler(inner)
{
    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        request.RequestUri = address;
        return base.SendAsync(request, cancellationToken);
    }
}
