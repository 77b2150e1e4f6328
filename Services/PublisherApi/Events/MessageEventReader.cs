using AspireStreaming.V1;

namespace AspireStreaming.PublisherApi.Events;

/// <summary>Reads events of gRPC messages. Thread-safe.</summary>
internal sealed class MessageEventReader(AttributeRules rules, EventComposer composer, PayloadReader payload)
{
    /// <summary>Adds an event to the batch.</summary>
    public EventFault? Read(Event message, EventBatch batch, int index)
    {
        if (FindReserved(message) is { } reserved)
        {
            return EventFault.Invalid(reserved, $"'{reserved}' is set by the hot log and cannot be given.", index);
        }

        var draft = default(EventDraft);
        var extensions = EventComposer.Begin();
        if (message.Id.Length > 0)
        {
            draft.Id = message.Id;
            if (rules.CheckText("id", message.Id, index) is { } fault)
            {
                return fault;
            }
        }

        if (message.Source.Length > 0)
        {
            draft.Source = message.Source;
            if (rules.CheckText("source", message.Source, index) is { } fault)
            {
                return fault;
            }
        }

        if (message.Type.Length > 0)
        {
            draft.Type = message.Type;
            if (rules.CheckType(message.Type, index) is { } fault)
            {
                return fault;
            }
        }

        if (message.Subject.Length > 0)
        {
            draft.Subject = JsonText.Quote(message.Subject);
            if (rules.CheckText("subject", message.Subject, index) is { } fault)
            {
                return fault;
            }
        }

        if (message.Time.Length > 0)
        {
            draft.Time = JsonText.Quote(message.Time);
            if (AttributeRules.CheckTime(message.Time, index) is { } fault)
            {
                return fault;
            }
        }

        var count = 0;
        foreach (var (name, value) in message.Attributes)
        {
            if (rules.WriteExtension(name, value, count++, extensions, ref draft, index) is { } fault)
            {
                return fault;
            }
        }

        var contentType = message.Datacontenttype.Length > 0 ? message.Datacontenttype : "application/json";
        return payload.Read(contentType, message.Data.Span, ref draft, index) ?? composer.Compose(ref draft, batch, index, alone: false);
    }

    private static string? FindReserved(Event message) => message switch
    {
        { Stream.Length: > 0 } => "stream",
        { Position.Length: > 0 } => "position",
        { Sequence: not 0 } => "sequence",
        { Recordedtime.Length: > 0 } => "recordedtime",
        _ => null,
    };
}
