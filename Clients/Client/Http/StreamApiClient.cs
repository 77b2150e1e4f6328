using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;

namespace AspireStreaming.Client.Http;

/// <summary>One attempt at each of the Stream API's requests.</summary>
internal sealed class StreamApiClient(ServiceConnection service)
{
    /// <summary>Largest page that is read into memory, in bytes.</summary>
    public const int MaxPageBytes = 128 * 1024 * 1024;

    private const int MaxInfoBytes = 1024 * 1024;

    public ServiceConnection Service => service;

    /// <summary>What is known about a stream; null when it is unknown.</summary>
    public async Task<StreamInfo?> ReadStreamAsync(string stream, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, service.Uri($"streams/{stream}"));
        using var response = await service.SendAsync(request, cancellationToken);
        if (response.StatusCode == HttpStatusCode.NotFound)
        {
            return null;
        }

        await service.EnsureAsync(response, HttpStatusCode.OK, $"GET /streams/{stream}", cancellationToken);
        var body = await service.ReadBodyAsync(response.Content, MaxInfoBytes, cancellationToken);
        try
        {
            using var document = JsonDocument.Parse(body ?? default);
            if (Describe(document.RootElement, stream) is { } info)
            {
                return info;
            }
        }
        catch (JsonException)
        {
            // Falls through: an answer without the members is as unusable as one that is not JSON.
        }

        throw NotUnderstood();
    }

    /// <summary>A page of the list of streams, newest activity first, and the cursor of the next; null on the last.</summary>
    public async Task<(IReadOnlyList<StreamInfo> Streams, string? Next)> ListAsync(string? cursor, int limit, CancellationToken cancellationToken)
    {
        var path = $"streams?limit={limit}{(cursor is null ? "" : "&cursor=" + Uri.EscapeDataString(cursor))}";
        using var request = new HttpRequestMessage(HttpMethod.Get, service.Uri(path));
        using var response = await service.SendAsync(request, cancellationToken);
        await service.EnsureAsync(response, HttpStatusCode.OK, "GET /streams", cancellationToken);
        var body = await service.ReadBodyAsync(response.Content, 4 * MaxInfoBytes, cancellationToken);
        try
        {
            using var document = JsonDocument.Parse(body ?? default);
            var root = document.RootElement;
            if (root.ValueKind == JsonValueKind.Object && root.TryGetProperty("streams", out var streams) && streams.ValueKind == JsonValueKind.Array)
            {
                StreamInfo[] found = [.. streams.EnumerateArray().Select(static item => Describe(item, null)).OfType<StreamInfo>()];
                return (found, root.String("next"));
            }
        }
        catch (JsonException)
        {
            // As above.
        }

        throw NotUnderstood();
    }

    /// <summary>Reads a page of events.</summary>
    /// <returns>Null when the page is larger than <see cref="MaxPageBytes"/>.</returns>
    public async Task<EventPage?> ReadPageAsync(string stream, PageOptions options, CancellationToken cancellationToken)
    {
        var path = $"streams/{stream}/events{options.ToQuery()}";
        using var request = new HttpRequestMessage(HttpMethod.Get, service.Uri(path));
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue(MediaTypes.Json));
        using var response = await service.SendAsync(request, cancellationToken, options.Wait);
        await service.EnsureAsync(response, HttpStatusCode.OK, "GET /" + path, cancellationToken);
        var body = await service.ReadBodyAsync(response.Content, MaxPageBytes, cancellationToken);
        return body is { } bytes ? EventPage.Read(stream, bytes) : null;
    }

    /// <summary>Opens live events.</summary>
    /// <param name="path">Path and query.</param>
    /// <param name="lastEventId">Where to resume; null = where the query says.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Null when everything has ended and there is nothing after the position (204).</returns>
    public async Task<HttpResponseMessage?> OpenEventsAsync(string path, string? lastEventId, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, service.Uri(path));
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue(MediaTypes.EventStream));
        request.Headers.CacheControl = new CacheControlHeaderValue { NoCache = true };
        if (lastEventId is not null)
        {
            request.Headers.TryAddWithoutValidation("Last-Event-ID", lastEventId);
        }

        var response = await service.SendAsync(request, cancellationToken);
        try
        {
            if (response.StatusCode == HttpStatusCode.NoContent)
            {
                response.Dispose();
                return null;
            }

            await service.EnsureAsync(response, HttpStatusCode.OK, "GET /" + path.Split('?')[0], cancellationToken);
            return response.Content.Headers.ContentType?.MediaType == MediaTypes.EventStream
                ? response
                : throw new InvalidDataException($"{service.Url} does not answer like a Stream API: no text/event-stream.");
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    private static StreamInfo? Describe(JsonElement root, string? stream) =>
        root.Position("last") is { } last && (root.String("name") ?? stream) is { } name
            ? new StreamInfo(
                name,
                root.Position("first") ?? StreamPosition.Zero,
                last,
                root.Number("count"),
                root.Position("archivedTo") ?? StreamPosition.Zero,
                root.String("state") ?? "unknown")
            : null;

    private InvalidDataException NotUnderstood() => new($"{service.Url} does not answer like a Stream API.");
}
