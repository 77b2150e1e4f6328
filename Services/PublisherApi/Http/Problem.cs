using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using AspireStreaming.PublisherApi.Events;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.PublisherApi.Http;

/// <summary>A refusal as <c>application/problem+json</c> (RFC 9457).</summary>
/// <param name="Kind">What went wrong.</param>
/// <param name="Detail">One sentence for the publisher.</param>
internal sealed record Problem(ProblemKind Kind, string Detail)
{
    private static readonly JsonWriterOptions JsonOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The attribute, parameter or header at fault.</summary>
    public string? Field { get; init; }

    /// <summary>The 0-based index of the event in its batch.</summary>
    public int? Index { get; init; }

    /// <summary>The 1-based line of an NDJSON upload.</summary>
    public long? Line { get; init; }

    /// <summary>The limit that was passed.</summary>
    public long? Limit { get; init; }

    /// <summary>Where the stream stands.</summary>
    public StreamPosition? Current { get; init; }

    /// <summary>The state that the stream ended in.</summary>
    public string? State { get; init; }

    /// <summary>The stream that the caller has no right to.</summary>
    public string? Stream { get; init; }

    /// <summary>The claim that is missing.</summary>
    public string? Claim { get; init; }

    /// <summary>When to try again.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>Ids of the events that were not accepted, in order, with which the request can be repeated safely.</summary>
    public IReadOnlyList<string>? Ids { get; init; }

    /// <summary>What of an upload was accepted before it was refused.</summary>
    public PublishTotals? Totals { get; init; }

    public static Problem From(EventFault fault) =>
        new(fault.Kind, fault.Detail) { Field = fault.Field, Index = fault.Index, Limit = fault.Limit };

    public static Problem Parameter(string field, string detail) => new(ProblemKind.InvalidParameter, detail) { Field = field };

    /// <summary>Whole seconds for <c>Retry-After</c>, at least one.</summary>
    public static long Seconds(TimeSpan time) => Math.Max(1, (long)Math.Ceiling(time.TotalSeconds));

    public async Task WriteAsync(HttpContext context)
    {
        var response = context.Response;
        response.StatusCode = Problems.Status(Kind);
        response.ContentType = "application/problem+json";
        if (RetryAfter is { } retryAfter)
        {
            response.Headers.RetryAfter = Seconds(retryAfter).ToString(CultureInfo.InvariantCulture);
        }

        var body = ToJson();
        response.ContentLength = body.Length;
        await response.Body.WriteAsync(body, context.RequestAborted);
    }

    public byte[] ToJson()
    {
        var body = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(body, JsonOptions))
        {
            json.WriteStartObject();
            json.WriteString("type", Problems.Uri(Kind));
            json.WriteString("title", Problems.Title(Kind));
            json.WriteNumber("status", Problems.Status(Kind));
            json.WriteString("detail", Detail);
            WriteMembers(json);
            if (Activity.Current?.Id is { } trace)
            {
                json.WriteString("traceId", trace);
            }

            json.WriteEndObject();
        }

        return body.WrittenSpan.ToArray();
    }

    private void WriteMembers(Utf8JsonWriter json)
    {
        WriteText(json, "field", Field);
        WriteNumber(json, "index", Index);
        WriteNumber(json, "line", Line);
        WriteNumber(json, "limit", Limit);
        WriteText(json, "current", Current?.ToString());
        WriteText(json, "state", State);
        WriteText(json, "stream", Stream);
        WriteText(json, "claim", Claim);
        if (Totals is { } totals)
        {
            WriteText(json, "first", totals.IsEmpty ? null : totals.First.ToString());
            WriteText(json, "last", totals.IsEmpty ? null : totals.Last.ToString());
            json.WriteNumber("accepted", totals.Accepted);
            json.WriteNumber("duplicates", totals.Duplicates);
        }

        if (Ids is { } ids)
        {
            json.WriteStartArray("ids");
            foreach (var id in ids)
            {
                json.WriteStringValue(id);
            }

            json.WriteEndArray();
        }
    }

    private static void WriteText(Utf8JsonWriter json, string name, string? value)
    {
        if (value is not null)
        {
            json.WriteString(name, value);
        }
    }

    private static void WriteNumber(Utf8JsonWriter json, string name, long? value)
    {
        if (value is { } number)
        {
            json.WriteNumber(name, number);
        }
    }
}
