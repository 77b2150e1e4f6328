using System.Text.Json;
using System.Text.Json.Serialization;
using AspireStreaming.ServiceDefaults.OpenApi;

namespace AspireStreaming.StreamApi;

/// <summary>The Stream API's operations for its OpenAPI document.</summary>
internal static class StreamApiDocument
{
    private const string Reading = "Read";
    private const string Operating = "Operate";

    private static readonly ApiParameter Stream =
        new("stream", "The stream's name: 1 to 200 characters of `A-Z a-z 0-9 . _ : ~ -`, but not `.` or `..`.");

    private static readonly ApiParameter Scope =
        new("scope", "`local` answers for this replica alone; default: for all of them.") { Values = ["local", "all"] };

    private static readonly ApiParameter[] Delivery =
    [
        new("types", "Event types wanted, separated by commas; the cursor moves over the others."),
        new("policy", "What happens to a reader that is more than `lag` events behind. Default `catch-up`: it gets everything.")
        {
            Values = ["catch-up", "drop", "disconnect"],
        },
        new("lag", "Events that count as behind for `drop` and `disconnect`. Default 1,000.") { Range = (1, 1_000_000) },
        new("named", "`false` leaves out SSE's `event` line. Default `true`.") { Values = ["true", "false"] },
    ];

    public static IReadOnlyList<ApiOperation> Operations { get; } =
    [
        new("GET", "/streams/{stream}/events", "Read a stream: live (SSE) or a page (JSON)")
        {
            Tag = Reading,
            Claim = "subscribe",
            Description = "`Accept: text/event-stream` follows the stream: `id` is the position, `data` the event, control events "
                + "(`stream.caught-up`, `stream.gap`, `stream.passed`, `stream.dropped`, `stream.epoch`, `stream.drain`, `stream.end`) have no `id`. "
                + "`application/json`, `*/*` or none is a page.",
            Parameters =
            [
                Stream,
                new("Accept", "`text/event-stream` or `application/json`.") { IsHeader = true },
                new("Last-Event-ID", "The position after which to go on; goes before `lastEventId`, which goes before `from`.") { IsHeader = true },
                new("lastEventId", "As the header, for clients that cannot set it."),
                new("from", "`start`, `now`, a position (exclusive) or an RFC 3339 time. Default `start`."),
                .. Delivery,
                new("limit", "Pages: most events. Default 100.") { Range = (1, 1_000) },
                new("wait", "Pages: how long to wait for an event when there is none, seconds. Default 0.") { Range = (0, 60) },
                new("order", "Pages: `desc` goes down from the end, or from `from`. Default `asc`.") { Values = ["asc", "desc"] },
                new("tier", "Reads the archive or the hot log alone. Default: both as one.") { Values = ["archive", "log"] },
            ],
            Answers =
            [
                new(200, "Events.", new ApiContent("text/event-stream"), new ApiContent("application/json", typeof(PageDocument))),
                new(204, "SSE at or after the end of an ended stream: EventSource stops."),
                ApiAnswer.Problem(400, "invalid-parameter", "not-supported"),
                ApiAnswer.Problem(406, "not-acceptable"),
                ApiAnswer.Problem(429, "too-many-connections-from-address", "too-many-attempts"),
                ApiAnswer.Problem(
                    503, "draining", "too-many-connections", "too-many-streams", "memory-limit", "redis-unavailable", "archive-unavailable"),
            ],
        },
        new("GET", "/events", "Follow up to 50 streams on one SSE connection")
        {
            Tag = Reading,
            Claim = "subscribe",
            Description = "Its `id` is a cursor of all streams in the order of the URL; it resumes this list of streams only.",
            Parameters =
            [
                new("stream", "A stream, or `<stream>@<start>` with `start`, `now`, a position or an RFC 3339 time; 1 to 50 of them.")
                {
                    IsRequired = true,
                    IsRepeated = true,
                },
                new("Last-Event-ID", "The `id` after which to go on.") { IsHeader = true },
                new("lastEventId", "As the header, for clients that cannot set it."),
                .. Delivery,
            ],
            Answers =
            [
                new(200, "Events.", new ApiContent("text/event-stream")),
                new(204, "All streams have ended and were read to the end."),
                ApiAnswer.Problem(400, "invalid-parameter", "not-supported"),
                ApiAnswer.Problem(406, "not-acceptable"),
                ApiAnswer.Problem(429, "too-many-connections-from-address", "too-many-attempts"),
                ApiAnswer.Problem(503, "draining", "too-many-connections", "too-many-streams", "memory-limit"),
            ],
        },
        new("GET", "/ws", "Open a session over WebSocket")
        {
            Tag = Reading,
            Description = "JSON text frames, see docs/protocol.md; each subscription needs the claim `subscribe`, each publish `publish`.",
            Answers =
            [
                new(101, "The session begins."),
                ApiAnswer.Problem(426, "upgrade-required"),
                ApiAnswer.Problem(429, "too-many-connections-from-address", "too-many-attempts"),
                ApiAnswer.Problem(503, "draining", "too-many-connections", "memory-limit"),
            ],
        },
        new("GET", "/streams", "List the streams that the caller may read, newest activity first")
        {
            Tag = Reading,
            Parameters =
            [
                new("limit", "Most streams. Default 100.") { Range = (1, 1_000) },
                new("cursor", "The `next` of an earlier page."),
                Scope,
            ],
            Answers =
            [
                Json(typeof(Listing.StreamList)),
                ApiAnswer.Problem(400, "invalid-parameter"),
                ApiAnswer.Problem(503, "redis-unavailable", "archive-unavailable"),
            ],
        },
        new("GET", "/streams/{stream}", "Describe a stream")
        {
            Tag = Reading,
            Claim = "subscribe",
            Parameters = [Stream, Scope],
            Answers =
            [
                Json(typeof(Listing.StreamDocument)),
                ApiAnswer.Problem(400, "invalid-parameter"),
                ApiAnswer.Problem(404, "unknown-stream"),
                ApiAnswer.Problem(503, "redis-unavailable", "archive-unavailable"),
            ],
        },
        new("GET", "/streams/{stream}/audit", "Look for holes and duplicates in the archive")
        {
            Tag = Operating,
            Claim = "admin",
            Parameters = [Stream],
            Answers =
            [
                Json(typeof(Audit.AuditDocument)),
                ApiAnswer.Problem(400, "invalid-parameter", "not-supported"),
                ApiAnswer.Problem(404, "unknown-stream"),
                ApiAnswer.Problem(503, "audit-timeout", "redis-unavailable", "archive-unavailable"),
            ],
        },
        new("GET", "/connections", "List the live connections")
        {
            Tag = Operating,
            Claim = "admin",
            Parameters =
            [
                new("limit", "Most connections. Default 1,000.") { Range = (1, 1_000) },
                new("cursor", "The `next` of an earlier page."),
                Scope,
            ],
            Answers = [Json(typeof(Connections.ConnectionList)), ApiAnswer.Problem(400, "invalid-parameter")],
        },
        new("DELETE", "/connections/{id}", "End a live connection; its client is told to reconnect")
        {
            Tag = Operating,
            Claim = "admin",
            Parameters = [new("id", "The connection's id."), Scope],
            Answers = [new(204, "It ends."), ApiAnswer.Problem(400, "invalid-parameter"), ApiAnswer.Problem(404, "unknown-connection")],
        },
        new("GET", "/stats", "Count connections, streams and deliveries")
        {
            Tag = Operating,
            Claim = "admin",
            Parameters = [Scope],
            Answers = [Json(typeof(Statistics.StatsDocument)), ApiAnswer.Problem(400, "invalid-parameter")],
        },
    ];

    private static ApiAnswer Json(Type type) => new(200, "As asked.", new ApiContent("application/json", type));

    /// <summary>A page of events; <see cref="Pages.EventPage"/> writes it.</summary>
    internal sealed record PageDocument(
        string Stream, IReadOnlyList<DeliveredEventDocument> Events, string Next, bool CaughtUp, GapDocument? Gap, EndDocument? End);

    /// <summary>A hole: the positions after <c>from</c> up to <c>to</c> cannot be delivered.</summary>
    internal sealed record GapDocument(string From, string To, long? Missed, string Reason);

    /// <summary>The event that ended the stream.</summary>
    internal sealed record EndDocument(string Type, string Position);

    /// <summary>A delivered event; other members are extension attributes.</summary>
    internal sealed record DeliveredEventDocument(
        string Specversion,
        string Id,
        string Source,
        string Type,
        string? Subject,
        DateTimeOffset Time,
        string Datacontenttype,
        JsonElement? Data,
        [property: JsonPropertyName("data_base64")] string? DataBase64,
        string Stream,
        string Position,
        long Sequence,
        DateTimeOffset Recordedtime);
}
