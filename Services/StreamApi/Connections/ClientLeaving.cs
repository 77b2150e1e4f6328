using Microsoft.AspNetCore.Connections.Features;

namespace AspireStreaming.StreamApi.Connections;

/// <summary>How a request learns that its client has left.</summary>
internal static class ClientLeaving
{
    /// <summary>
    /// Cancelled when the client leaves. Where a connection is one request's, its own token says so, which is there anyway; that of
    /// the request costs each a source and its bookkeeping.
    /// </summary>
    public static CancellationToken Of(HttpContext context) =>
        HttpProtocol.IsHttp11(context.Request.Protocol) && context.Features.Get<IConnectionLifetimeFeature>() is { } connection
            ? connection.ConnectionClosed
            : context.RequestAborted;
}
