namespace AspireStreaming.Client.Tests.Following;

/// <summary>The transports that the Stream API serves.</summary>
public static class Transports
{
    public static TheoryData<StreamTransport> All { get; } = [StreamTransport.ServerSentEvents, StreamTransport.Grpc, StreamTransport.WebSocket];
}
