using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;

namespace AspireStreaming.Cli.Client;

/// <summary>Reads streams over HTTP and server-sent events. Not owner of the connection.</summary>
internal sealed class StreamApiClient(HttpClient http, TimeProvider time)
{
    /// <summary>Largest page that is read into memory, in bytes.</summary>
    public const int MaxPageBytes = 128 * 1024 * 1024;

    private const int MaxInfoBytes = 1024 * 1024;

    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(30);

    /// <summary>Where the service is.</summary>
    public Uri Url => http.BaseAddress!;

    /// <summary>What is known about a stream; null when it is unknown.</summary>
    public async Task<StreamInfo?> ReadStreamAsync(string stream, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"streams/{stream}");
        using var response = await http.SendAsync(request, Timeout, time, cancellationToken);
        if (response.StatusCode == HttpStatusCode.NotFound)
        {
            return null;
        }

        if (response.StatusCode != HttpStatusCode.OK)
        {
            throw await response.FaultAsync($"GET /streams/{stream}", Timeout, time, cancellationToken);
        }

        var body = await response.Content.ReadBodyAsync(MaxInfoBytes, Timeout, time, cancellationToken);
        try
        {
            using var document = JsonDocument.Parse(body ?? default);
            var root = document.RootElement;
            if (root.Position("last") is { } last)
            {
                return new StreamInfo(
                    root.String("name") ?? stream,
                    root.Position("first") ?? StreamPosition.Zero,
                    last,
                    root.Number("count"),
                    root.Position("archivedTo") ?? StreamPosition.Zero,
                    root.String("state") ?? "unknown");
            }
        }
        catch (JsonException)
        {
            // Falls through: an answer without the members is as unusable as one that is not JSON.
        }

        throw new InvalidDataException($"{Url} does not answer like a Stream API.");
    }

    /// <summary>Reads a page of events.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="from"><c>start</c> or a position (exclusive).</param>
    /// <param name="limit">Most events, 1 to 1000.</param>
    /// <param name="tier"><c>archive</c> or <c>log</c>; null = both, as readers see them.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Null when the page is larger than <see cref="MaxPageBytes"/>.</returns>
    public async Task<EventPage?> ReadPageAsync(string stream, string from, int limit, string? tier, CancellationToken cancellationToken)
    {
        var path = $"streams/{stream}/events?from={Uri.EscapeDataString(from)}&limit={limit}{(tier is null ? "" : "&tier=" + tier)}";
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
        using var response = await http.SendAsync(request, Timeout, time, cancellationToken);
        if (response.StatusCode != HttpStatusCode.OK)
        {
            throw await response.FaultAsync("GET /" + path, Timeout, time, cancellationToken);
        }

        var body = await response.Content.ReadBodyAsync(MaxPageBytes, Timeout, time, cancellationToken);
        return body is { } bytes ? EventPage.Read(bytes) : null;
    }

    /// <summary>Opens the live events of a stream.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="query">The query string with its <c>?</c>, or nothing.</param>
    /// <param name="lastEventId">Where to resume; null = where the query says.</param>
    /// <param name="idleTimeout">When silence means that the connection is dead.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Null when the stream has ended and there is nothing after the position (204).</returns>
    public async Task<SseConnection?> OpenEventsAsync(
        string stream, string query, string? lastEventId, TimeSpan idleTimeout, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"streams/{stream}/events{query}");
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("text/event-stream"));
        request.Headers.CacheControl = new CacheControlHeaderValue { NoCache = true };
        if (lastEventId is not null)
        {
            request.Headers.TryAddWithoutValidation("Last-Event-ID", lastEventId);
        }

        var response = await http.SendAsync(request, Timeout, time, cancellationToken);
        try
        {
            if (response.StatusCode == HttpStatusCode.NoContent)
            {
                response.Dispose();
                return null;
            }

            if (response.StatusCode != HttpStatusCode.OK)
            {
                throw await response.FaultAsync($"GET /streams/{stream}/events", Timeout, time, cancellationToken);
            }

            if (response.Content.Headers.ContentType?.MediaType != "text/event-stream")
            {
                throw new InvalidDataException($"{Url} does not answer like a Stream API: no text/event-stream.");
            }

            var body = await response.Content.ReadAsStreamAsync(cancellationToken);
            return new SseConnection(response, new SseReader(body, idleTimeout, time));
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }
}
