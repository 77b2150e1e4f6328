using AspireStreaming.StreamApi.Tests.Support;

namespace AspireStreaming.StreamApi.Tests.Sessions;

/// <summary>A session's client. It reads only when asked to, so that it can stall.</summary>
internal abstract class SessionClient : IAsyncDisposable
{
    protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static async Task<SessionClient> OpenAsync(string transport, StreamApiHost host) => transport == "ws"
        ? await WebSocketSessionClient.OpenAsync(host.Http)
        : GrpcSessionClient.Open(host.Grpc);

    public abstract Task SubscribeAsync(
        string sub,
        string stream,
        string from = "",
        int? window = 0,
        string policy = "",
        int lag = 0,
        string cursor = "",
        params string[] types);

    public abstract Task AckAsync(string sub, string position);

    public abstract Task UnsubscribeAsync(string sub);

    /// <summary>Publishes events of type T with data; more than one stream is a broadcast.</summary>
    public abstract Task PublishAsync(string sub, string[] streams, string[] data, string expected = "", string durability = "", string? id = null);

    public abstract Task PingAsync();

    /// <summary>The client has no more messages.</summary>
    public abstract Task CompleteAsync();

    /// <summary>The next message; null at the end.</summary>
    public async Task<SessionMessage?> TryReadAsync() => await ReceiveAsync().WaitAsync(SseClient.Patience, TimeProvider.System, Cancel);

    /// <summary>The next message.</summary>
    public async Task<SessionMessage> ReadAsync() => await TryReadAsync() ?? throw new EndOfStreamException("The session is over.");

    /// <summary>The next message of a type; it must be the next but for <c>stream.caught-up</c>.</summary>
    public async Task<SessionMessage> ReadAsync(string type)
    {
        while (true)
        {
            var message = await ReadAsync();
            if (message.Type == type)
            {
                return message;
            }

            Assert.True(message.Name == "stream.caught-up", $"Expected {type}, got {message}");
        }
    }

    /// <summary>The next events.</summary>
    public async Task<List<SessionMessage>> ReadEventsAsync(int count)
    {
        var events = new List<SessionMessage>(count);
        while (events.Count < count)
        {
            events.Add(await ReadAsync("event"));
        }

        return events;
    }

    /// <summary>Everything that comes before the answer to a ping.</summary>
    public async Task<List<SessionMessage>> ReadUntilPongAsync()
    {
        await PingAsync();
        var messages = new List<SessionMessage>();
        while (await ReadAsync() is { Type: not "pong" } message)
        {
            messages.Add(message);
        }

        return messages;
    }

    public abstract ValueTask DisposeAsync();

    protected abstract Task<SessionMessage?> ReceiveAsync();
}
