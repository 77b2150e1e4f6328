using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;

namespace AspireStreaming.Cli.Client;

/// <summary>Publishes batches over HTTP. Not owner of the connection.</summary>
internal sealed class PublisherClient(HttpClient http, TimeProvider time)
{
    private const int MaxReceiptBytes = 64 * 1024;

    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(30);
    private static readonly MediaTypeHeaderValue Json = new("application/json");

    /// <summary>Appends a JSON array of events, all or none.</summary>
    /// <exception cref="ApiException">The service refuses.</exception>
    public async Task<PublishReceipt> PublishAsync(string stream, ReadOnlyMemory<byte> events, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"streams/{stream}/events");
        request.Content = new ReadOnlyMemoryContent(events);
        request.Content.Headers.ContentType = Json;
        using var response = await http.SendAsync(request, Timeout, time, cancellationToken);
        if (response.StatusCode != HttpStatusCode.OK)
        {
            throw await response.FaultAsync($"POST /streams/{stream}/events", Timeout, time, cancellationToken);
        }

        var body = await response.Content.ReadBodyAsync(MaxReceiptBytes, Timeout, time, cancellationToken);
        return body is { } bytes && Read(bytes) is { } receipt
            ? receipt
            : throw new InvalidDataException($"{http.BaseAddress} does not answer like a Publisher API.");
    }

    private static PublishReceipt? Read(ReadOnlyMemory<byte> body)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            var root = document.RootElement;
            return root.Number("accepted") is { } accepted && root.Number("duplicates") is { } duplicates
                && root.Position("first") is { } first && root.Position("last") is { } last
                ? new PublishReceipt(accepted, duplicates, first, last)
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
