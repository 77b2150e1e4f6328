using System.Text.Json;
using AspireStreaming.StreamApi.Sessions;
using AspireStreaming.V1;

namespace AspireStreaming.StreamApi.Rpc;

/// <summary>The messages of a session in gRPC's form.</summary>
internal static class GrpcSessionMessages
{
    /// <summary>Reads a message of the client; what is not understood becomes a <see cref="RefusedCommand"/>.</summary>
    public static SessionCommand Read(ClientMessage message, SessionCommands commands) => message.MessageCase switch
    {
        ClientMessage.MessageOneofCase.Subscribe => Read(message.Subscribe, commands),
        ClientMessage.MessageOneofCase.Ack => SessionCommands.Acknowledge(message.Ack.Sub, message.Ack.Position),
        ClientMessage.MessageOneofCase.Unsubscribe => SessionCommands.Unsubscribe(message.Unsubscribe.Sub),
        ClientMessage.MessageOneofCase.Publish => Read(message.Publish, commands),
        ClientMessage.MessageOneofCase.Ping => new PingCommand(),
        _ => new RefusedCommand(
            null, SessionFault.NotUnderstood("A message is a 'subscribe', 'ack', 'unsubscribe', 'publish' or 'ping'.")),
    };

    /// <summary>What a publish came to.</summary>
    public static SessionPublished ToPublished(IReadOnlyList<Sessions.PublishResult> results)
    {
        var published = new SessionPublished();
        foreach (var result in results)
        {
            published.Results.Add(new V1.PublishResult
            {
                Stream = result.Stream,
                First = result.First,
                Last = result.Last,
                Accepted = result.Accepted,
                Duplicates = result.Duplicates,
                Status = result.Status,
                Title = result.Fault is { } fault ? $"{fault.Title}: {fault.Detail}" : "",
                Type = result.Fault?.Type ?? "",
                Current = result.Fault?.Current ?? "",
            });
        }

        return published;
    }

    /// <summary>A fault.</summary>
    public static SessionError ToError(SessionFault fault, bool ended) => new()
    {
        Status = fault.Status,
        Title = fault.Title,
        Detail = fault.Detail,
        Type = fault.Type,
        RetryAfterSeconds = fault.RetryAfterSeconds,
        Ended = ended,
        Current = fault.Current,
    };

    private static SessionCommand Read(SessionSubscribe message, SessionCommands commands) => commands.Subscribe(
        message.Sub,
        message.Stream,
        message.From,
        message.Types_,
        message.Policy,
        message.Lag,
        message.HasWindow ? message.Window : null,
        message.Cursor);

    private static SessionCommand Read(SessionPublish message, SessionCommands commands)
    {
        try
        {
            return commands.Publish(
                message.Sub, message.Stream, message.Streams, PublishedEvents.Write(message.Events), message.Expected, message.Durability);
        }
        catch (JsonException exception)
        {
            return SessionCommands.Refuse(
                message.Sub, SessionFault.InvalidParameter("data", $"The data of an event is not valid JSON: {exception.Message}"));
        }
    }
}
