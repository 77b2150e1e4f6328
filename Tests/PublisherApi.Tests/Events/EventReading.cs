using System.Text;
using AspireStreaming.PublisherApi.Events;
using AspireStreaming.Streaming.Redis;

namespace AspireStreaming.PublisherApi.Tests.Events;

/// <summary>Reads events without a server.</summary>
internal static class EventReading
{
    public const string Now = "2026-01-02T03:04:05.678Z";

    public static (EventFault? Fault, List<AppendEvent> Events) Read(
        byte[] body, JsonShape shape = JsonShape.EventOrArray, PublisherOptions? options = null, string? idempotencyKey = null)
    {
        var rules = new AttributeRules(options ?? new PublisherOptions());
        var reader = new EventReader(rules, new EventComposer(rules.Options, new FixedTime()));
        var batch = new EventBatch(idempotencyKey);
        var fault = reader.Read(body, shape, batch);
        return (fault, batch.Events);
    }

    public static (EventFault? Fault, List<AppendEvent> Events) Read(
        string body, JsonShape shape = JsonShape.EventOrArray, PublisherOptions? options = null, string? idempotencyKey = null) =>
        Read(Encoding.UTF8.GetBytes(body), shape, options, idempotencyKey);

    /// <summary>The one event of a body that must be good.</summary>
    public static AppendEvent ReadOne(string body, PublisherOptions? options = null)
    {
        var (fault, events) = Read(body, options: options);
        Assert.Null(fault);
        return Assert.Single(events);
    }

    public static EventFault ReadFault(string body, PublisherOptions? options = null, JsonShape shape = JsonShape.EventOrArray)
    {
        var (fault, _) = Read(body, shape, options);
        return Assert.IsType<EventFault>(fault);
    }

    /// <summary>The event's JSON, with its opening brace.</summary>
    public static string JsonOf(AppendEvent item) =>
        "{" + Encoding.UTF8.GetString(Streaming.Contracts.EventFrame.Read(item.Frame).Json.Span);

    /// <summary>What was kept of <c>data</c>.</summary>
    public static string DataOf(AppendEvent item)
    {
        const string Mark = "\"datacontenttype\":\"application/json\",\"data\":";
        var json = JsonOf(item);
        var at = json.IndexOf(Mark, StringComparison.Ordinal);
        Assert.True(at > 0, json);
        return json[(at + Mark.Length)..^1];
    }

    private sealed class FixedTime : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => new(2026, 1, 2, 3, 4, 5, 678, TimeSpan.Zero);
    }
}
