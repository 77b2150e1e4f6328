using System.Text.Json;
using System.Text.Json.Serialization;
using AspireStreaming.ServiceDefaults.OpenApi;

namespace AspireStreaming.PublisherApi.Http;

/// <summary>The Publisher API's operations for its OpenAPI document.</summary>
internal static class PublishDocument
{
    private const string Tag = "Publish";

    private static readonly ApiParameter Stream =
        new("stream", "The stream's name: 1 to 200 characters of `A-Z a-z 0-9 . _ : ~ -`, but not `.` or `..`.");

    public static IReadOnlyList<ApiOperation> Operations { get; } =
    [
        new("POST", "/streams/{stream}/events", "Append events to a stream")
        {
            Tag = Tag,
            Claim = "publish",
            Description = "A batch is one atomic append of at most 1,000 events and 4 MiB. NDJSON of any length is appended in chunks, one "
                + "after another; a problem then names the line and how many events before it were accepted. An event whose `source` and "
                + "`id` are known counts in `duplicates` with its first position. Any other content type with `ce-*` headers is "
                + "CloudEvents binary mode.",
            Parameters =
            [
                Stream,
                new("expected", "The position at which the stream must stand; `0-0`: it must be new."),
                new("durability", "`archived` answers when the archive has the event, too.") { Values = ["log", "archived"] },
                new("timeout", "How long `durability=archived` waits, seconds. Default 10.") { Range = (1, 60) },
                new("Idempotency-Key", "Stands for the `id` of a single event that has none; 1 to 256 characters.") { IsHeader = true },
            ],
            Body =
            [
                new("application/json", typeof(EventDocument)),
                new("application/cloudevents+json", typeof(EventDocument)),
                new("application/cloudevents-batch+json", typeof(EventDocument[])),
                new("application/x-ndjson"),
            ],
            Answers =
            [
                new(200, "Acknowledged: the hot log has all of it.", new ApiContent("application/json", typeof(PublishedDocument))),
                new(202, "As 200, but the archive did not have it within `timeout`.", new ApiContent("application/json", typeof(PublishedDocument))),
                ApiAnswer.Problem(400, "invalid-stream", "invalid-parameter", "invalid-json", "invalid-event"),
                ApiAnswer.Problem(401, "unauthenticated", "token-expired"),
                ApiAnswer.Problem(408, "idle-timeout"),
                ApiAnswer.Problem(409, "stream-ended", "position-mismatch"),
                ApiAnswer.Problem(413, "too-large"),
                ApiAnswer.Problem(415, "unsupported-media-type"),
                ApiAnswer.Problem(429, "too-many-requests", "rate-limited"),
                ApiAnswer.Problem(503, "redis-unavailable", "circuit-open", "redis-full", "archive-backlog-full", "draining"),
            ],
        },
        new("DELETE", "/streams/{stream}", "Delete a stream from the hot log")
        {
            Tag = Tag,
            Claim = "publish",
            Parameters =
            [
                Stream,
                new("archive", "`true` deletes it from the archive too, which needs the claim `admin`. Default `false`.") { Values = ["true", "false"] },
            ],
            Answers =
            [
                new(204, "Deleted."),
                ApiAnswer.Problem(400, "invalid-stream", "invalid-parameter"),
                ApiAnswer.Problem(404, "stream-unknown"),
                ApiAnswer.Problem(503, "redis-unavailable", "circuit-open", "archive-unavailable"),
            ],
        },
    ];

    /// <summary>An event as a publisher gives it; other members are extension attributes.</summary>
    internal sealed record EventDocument(
        string Type,
        string? Id,
        string? Source,
        string? Subject,
        DateTimeOffset? Time,
        string? Datacontenttype,
        JsonElement? Data,
        [property: JsonPropertyName("data_base64")] string? DataBase64);

    /// <summary>The acknowledgement; <see cref="PublishAnswer"/> writes it.</summary>
    internal sealed record PublishedDocument(
        string Stream, string First, string Last, long Accepted, long Duplicates, string Durability, string? Idempotency);
}
