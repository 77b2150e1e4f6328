using System.Buffers;
using System.Text;
using AspireStreaming.StreamApi.Compression;
using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Pages;

/// <summary>A page of events.</summary>
/// <param name="Stream">The stream.</param>
/// <param name="Events">The events.</param>
/// <param name="Next">What to ask for next.</param>
/// <param name="CaughtUp">Whether there is nothing more in this direction.</param>
/// <param name="Gap">What is missing before the first event; null for nothing.</param>
/// <param name="End">How the stream ended, if it has and the page reaches its end.</param>
internal sealed record EventPage(
    string Stream, IReadOnlyList<EncodedEvent> Events, StreamPosition Next, bool CaughtUp, Gap? Gap, StreamEnd? End) : IResult
{
    /// <summary>Positions in the page's range that have no event here though nothing is missing: their events stand at others.</summary>
    public IReadOnlyList<Passage> Passed { get; init; } = [];

    public async Task ExecuteAsync(HttpContext httpContext)
    {
        httpContext.Response.ContentType = "application/json";
        httpContext.Response.Headers.CacheControl = "no-store";
        var compressor = httpContext.RequestServices.GetRequiredService<ResponseCompressor>();
        using (var compressed = compressor.TryStartPage(httpContext, Events.Sum(item => (long)item.Json.Length)))
        {
            Write(httpContext.Response.BodyWriter);
            compressed?.Finish();
        }

        await httpContext.Response.BodyWriter.FlushAsync(httpContext.RequestAborted);
    }

    private void Write(IBufferWriter<byte> writer)
    {
        writer.Write(Encoding.ASCII.GetBytes($"{{\"stream\":\"{Stream}\",\"events\":["));
        for (var index = 0; index < Events.Count; index++)
        {
            if (index > 0)
            {
                writer.Write(","u8);
            }

            writer.Write(Events[index].Json.Span);
        }

        var gap = Gap is { } missing ? ControlEvent.Of(Stream, missing).Json : "null";
        var end = End is null ? "null" : ControlEvent.Of(Stream, End).Json;
        var passed = Passed.Count == 0
            ? ""
            : $",\"passed\":[{string.Join(',', Passed.Select(static item => $"{{\"from\":\"{item.From}\",\"to\":\"{item.To}\"}}"))}]";
        writer.Write(Encoding.UTF8.GetBytes($"],\"next\":\"{Next}\",\"caughtUp\":{(CaughtUp ? "true" : "false")},\"gap\":{gap},\"end\":{end}{passed}}}"));
    }
}
