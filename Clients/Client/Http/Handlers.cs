namespace AspireStreaming.Client.Http;

/// <summary>Connections that are fit for streams that last for hours.</summary>
internal static class Handlers
{
    public static SocketsHttpHandler Create() => Configure(new SocketsHttpHandler());

    public static SocketsHttpHandler Configure(SocketsHttpHandler handler)
    {
        handler.ConnectTimeout = TimeSpan.FromSeconds(5);

        // Addresses change; a connection that carries a stream lives on until the stream ends.
        handler.PooledConnectionLifetime = TimeSpan.FromMinutes(5);

        // HTTP/2 has no heartbeat of ours: a peer that has vanished is noticed by these.
        handler.EnableMultipleHttp2Connections = true;
        handler.KeepAlivePingDelay = TimeSpan.FromSeconds(15);
        handler.KeepAlivePingTimeout = TimeSpan.FromSeconds(15);
        return handler;
    }
}
