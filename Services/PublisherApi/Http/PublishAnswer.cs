using System.Globalization;
using System.IO.Pipelines;
using System.Text.Unicode;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.PublisherApi.Http;

/// <summary>The body of a publish that was accepted.</summary>
internal static class PublishAnswer
{
    /// <summary>Writes 200, or 202 when the archive was asked for and was not there in time.</summary>
    /// <param name="response">The response.</param>
    /// <param name="stream">A valid stream name; its characters need no escaping.</param>
    /// <param name="totals">What was appended.</param>
    /// <param name="archived">Whether the archive has it; null when nobody asked.</param>
    public static ValueTask<FlushResult> WriteAsync(HttpResponse response, string stream, in PublishTotals totals, bool? archived)
    {
        // Everything but the name is of bounded length.
        const int MaxRest = 320;
        response.StatusCode = archived == false ? StatusCodes.Status202Accepted : StatusCodes.Status200OK;
        response.ContentType = "application/json";
        var writer = response.BodyWriter;
        var target = writer.GetSpan(StreamName.MaxLength + MaxRest);
        var durability = archived == true ? "archived" : "log";
        var partial = totals.IdempotencyPartial ? ",\"idempotency\":\"partial\"" : "";
        Utf8.TryWrite(
            target,
            CultureInfo.InvariantCulture,
            $$"""{"stream":"{{stream}}","first":"{{totals.First}}","last":"{{totals.Last}}","accepted":{{totals.Accepted}},"duplicates":{{totals.Duplicates}},"durability":"{{durability}}"{{partial}}}""",
            out var written);
        response.ContentLength = written;
        writer.Advance(written);
        return writer.FlushAsync(response.HttpContext.RequestAborted);
    }
}
