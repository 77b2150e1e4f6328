namespace AspireStreaming.Client;

/// <summary>How events travel to a subscriber; what they guarantee is the same.</summary>
public enum StreamTransport
{
    /// <summary>Server-sent events over HTTP: passes every proxy, many streams on one connection.</summary>
    ServerSentEvents,

    /// <summary>gRPC server streaming over HTTP/2, paced by its flow control.</summary>
    Grpc,

    /// <summary>A WebSocket session with an adaptive window of acknowledged events, and durable cursors.</summary>
    WebSocket,
}
