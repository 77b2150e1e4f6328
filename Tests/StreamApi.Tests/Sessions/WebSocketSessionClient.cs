using System.Net.WebSockets;
using System.Text;
using System.Text.Json;

namespace AspireStreaming.StreamApi.Tests.Sessions;

/// <summary>.NET's own WebSocket client.</summary>
internal sealed class WebSocketSessionClient : SessionClient
{
    private readonly ClientWebSocket _socket = new();
    private readonly byte[] _buffer = new byte[64 << 10];

    public WebSocketCloseStatus? CloseStatus => _socket.CloseStatus;

    public string? CloseReason => _socket.CloseStatusDescription;

    public static async Task<WebSocketSessionClient> OpenAsync(Uri server, HttpMessageInvoker? invoker = null)
    {
        var client = new WebSocketSessionClient();
        var scheme = server.Scheme == Uri.UriSchemeHttps ? Uri.UriSchemeWss : Uri.UriSchemeWs;
        await client._socket.ConnectAsync(new Uri($"{scheme}://{server.Authority}/ws"), invoker, Cancel);
        return client;
    }

    /// <summary>Sends a text message as it is.</summary>
    public Task SendAsync(string message) => _socket.SendAsync(Encoding.UTF8.GetBytes(message), WebSocketMessageType.Text, true, Cancel);

    /// <summary>Sends a part of a message.</summary>
    public Task SendPartAsync(byte[] part, bool last, WebSocketMessageType type = WebSocketMessageType.Text) =>
        _socket.SendAsync(part, type, last, Cancel);

    public override Task SubscribeAsync(
        string sub, string stream, string from = "", int? window = 0, string policy = "", int lag = 0, string cursor = "", params string[] types)
    {
        var members = new Dictionary<string, object> { ["type"] = "subscribe", ["sub"] = sub, ["stream"] = stream };
        Add(from.Length > 0, "from", from);
        Add(window is not null, "window", window ?? 0);
        Add(policy.Length > 0, "policy", policy);
        Add(lag > 0, "lag", lag);
        Add(cursor.Length > 0, "cursor", cursor);
        Add(types.Length > 0, "types", types);
        return SendAsync(JsonSerializer.Serialize(members));

        void Add(bool isGiven, string name, object value)
        {
            if (isGiven)
            {
                members[name] = value;
            }
        }
    }

    public override Task AckAsync(string sub, string position) => SendAsync(JsonSerializer.Serialize(new { type = "ack", sub, position }));

    public override Task UnsubscribeAsync(string sub) => SendAsync(JsonSerializer.Serialize(new { type = "unsubscribe", sub }));

    public override Task PublishAsync(string sub, string[] streams, string[] data, string expected = "", string durability = "", string? id = null)
    {
        var idMember = id is null ? "" : $"\"id\":\"{id}\",";
        var events = string.Join(',', data.Select(value => $$"""{"type":"T",{{idMember}}"data":{{value}}}"""));
        var target = streams.Length == 1 ? $"\"stream\":\"{streams[0]}\"" : $"\"streams\":{JsonSerializer.Serialize(streams)}";
        return SendAsync(
            $$"""{"type":"publish","sub":"{{sub}}",{{target}},"events":[{{events}}],"expected":"{{expected}}","durability":"{{durability}}"}""");
    }

    public override Task PingAsync() => SendAsync("""{"type":"ping"}""");

    public override Task CompleteAsync() => _socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, "done", Cancel);

    public override ValueTask DisposeAsync()
    {
        _socket.Dispose();
        return ValueTask.CompletedTask;
    }

    protected override async Task<SessionMessage?> ReceiveAsync()
    {
        using var message = new MemoryStream();
        while (true)
        {
            var result = await _socket.ReceiveAsync(_buffer.AsMemory(), Cancel);
            if (result.MessageType == WebSocketMessageType.Close)
            {
                return null;
            }

            message.Write(_buffer, 0, result.Count);
            if (result.EndOfMessage)
            {
                var body = JsonDocument.Parse(message.ToArray()).RootElement;
                return new SessionMessage(
                    body.GetProperty("type").GetString()!, body.TryGetProperty("sub", out var sub) ? sub.GetString()! : "", body);
            }
        }
    }
}
