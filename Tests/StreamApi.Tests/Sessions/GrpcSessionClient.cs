using System.Text.Json;
using System.Text.Json.Nodes;
using AspireStreaming.V1;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;

namespace AspireStreaming.StreamApi.Tests.Sessions;

/// <summary>Grpc.Net.Client.</summary>
internal sealed class GrpcSessionClient : SessionClient
{
    private readonly GrpcChannel _channel;
    private readonly AsyncDuplexStreamingCall<ClientMessage, ServerMessage> _call;

    private GrpcSessionClient(GrpcChannel channel)
    {
        _channel = channel;
        _call = new Streams.StreamsClient(channel).Session(cancellationToken: Cancel);
    }

    public static GrpcSessionClient Open(Uri server) => new(GrpcChannel.ForAddress(server));

    /// <summary>How the call ended.</summary>
    public Status Ending => _call.GetStatus();

    public Task SendAsync(ClientMessage message) => _call.RequestStream.WriteAsync(message, Cancel);

    public override Task SubscribeAsync(
        string sub, string stream, string from = "", int? window = 0, string policy = "", int lag = 0, string cursor = "", params string[] types)
    {
        var subscribe = new SessionSubscribe
        {
            Sub = sub,
            Stream = stream,
            From = from,
            Policy = policy,
            Lag = lag,
            Cursor = cursor,
            Types_ = { types },
        };
        if (window is { } size)
        {
            subscribe.Window = size;
        }

        return SendAsync(new ClientMessage { Subscribe = subscribe });
    }

    public override Task AckAsync(string sub, string position) =>
        SendAsync(new ClientMessage { Ack = new SessionAck { Sub = sub, Position = position } });

    public override Task UnsubscribeAsync(string sub) => SendAsync(new ClientMessage { Unsubscribe = new SessionUnsubscribe { Sub = sub } });

    public override Task PublishAsync(string sub, string[] streams, string[] data, string expected = "", string durability = "", string? id = null)
    {
        var publish = new SessionPublish { Sub = sub, Expected = expected, Durability = durability };
        publish.Events.Add(data.Select(value => new Event { Type = "T", Id = id ?? "", Data = ByteString.CopyFromUtf8(value) }));
        if (streams.Length == 1)
        {
            publish.Stream = streams[0];
        }
        else
        {
            publish.Streams.Add(streams);
        }

        return SendAsync(new ClientMessage { Publish = publish });
    }

    public override Task PingAsync() => SendAsync(new ClientMessage { Ping = new SessionPing() });

    public override Task CompleteAsync() => _call.RequestStream.CompleteAsync();

    public override ValueTask DisposeAsync()
    {
        _call.Dispose();
        _channel.Dispose();
        return ValueTask.CompletedTask;
    }

    protected override async Task<SessionMessage?> ReceiveAsync()
    {
        if (!await _call.ResponseStream.MoveNext(Cancel))
        {
            return null;
        }

        var message = _call.ResponseStream.Current;
        var (type, body) = message.MessageCase switch
        {
            ServerMessage.MessageOneofCase.Event => ("event", EventOf(message.Event)),
            ServerMessage.MessageOneofCase.Control => (
                "control", new JsonObject { ["name"] = message.Control.Name, ["data"] = JsonNode.Parse(message.Control.Json) }),
            _ => Rest(message),
        };
        return new SessionMessage(type, message.Sub, JsonSerializer.SerializeToElement(body));
    }

    private static (string Type, JsonObject Body) Rest(ServerMessage message)
    {
        var name = message.MessageCase.ToString();
        var type = char.ToLowerInvariant(name[0]) + name[1..];
        IMessage inner = message.MessageCase switch
        {
            ServerMessage.MessageOneofCase.Subscribed => message.Subscribed,
            ServerMessage.MessageOneofCase.Published => message.Published,
            ServerMessage.MessageOneofCase.Error => message.Error,
            ServerMessage.MessageOneofCase.Pong => message.Pong,
            _ => throw new InvalidOperationException($"No message: {message}"),
        };
        return (type, JsonNode.Parse(JsonFormatter.Default.Format(inner))!.AsObject());
    }

    private static JsonObject EventOf(Event item) => new()
    {
        ["event"] = new JsonObject
        {
            ["id"] = item.Id,
            ["source"] = item.Source,
            ["type"] = item.Type,
            ["stream"] = item.Stream,
            ["position"] = item.Position,
            ["sequence"] = item.Sequence,
            ["data"] = JsonNode.Parse(item.Data.Span),
        },
    };
}
