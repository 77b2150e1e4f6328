using System.Net;
using System.Net.Http.Headers;
using AspireStreaming.Client.Http;

namespace AspireStreaming.Client.Publishing;

/// <summary>One attempt at each of the Publisher API's requests.</summary>
internal sealed class PublisherClient(ServiceConnection service)
{
    private const int MaxReceiptBytes = 64 * 1024;

    // The service's own, when nothing else was asked for.
    private static readonly TimeSpan ArchiveWait = TimeSpan.FromSeconds(10);

    public ServiceConnection Service => service;

    /// <summary>Appends events.</summary>
    /// <exception cref="ApiException">The service refuses.</exception>
    public async Task<PublishReceipt> PublishAsync(
        string stream, ReadOnlyMemory<byte> events, string mediaType, PublishOptions options, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, service.Uri($"streams/{stream}/events{options.ToQuery()}"));
        request.Content = new ReadOnlyMemoryContent(events);
        request.Content.Headers.ContentType = new MediaTypeHeaderValue(mediaType);
        var wait = options.Durability == Durability.Archived ? options.ArchiveWithin ?? ArchiveWait : TimeSpan.Zero;
        using var response = await service.SendAsync(request, cancellationToken, wait);
        if (response.StatusCode is not (HttpStatusCode.OK or HttpStatusCode.Accepted))
        {
            throw await service.FaultAsync(response, $"POST /streams/{stream}/events", cancellationToken);
        }

        var body = await service.ReadBodyAsync(response.Content, MaxReceiptBytes, cancellationToken);
        return body is { } bytes && PublishReceipt.Read(bytes) is { } receipt
            ? receipt
            : throw new InvalidDataException($"{service.Url} does not answer like a Publisher API.");
    }

    /// <summary>Deletes a stream.</summary>
    /// <returns>False when it is unknown.</returns>
    public async Task<bool> DeleteAsync(string stream, bool archive, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Delete, service.Uri($"streams/{stream}{(archive ? "?archive=true" : "")}"));
        using var response = await service.SendAsync(request, cancellationToken);
        if (response.StatusCode == HttpStatusCode.NotFound)
        {
            return false;
        }

        await service.EnsureAsync(response, HttpStatusCode.NoContent, $"DELETE /streams/{stream}", cancellationToken);
        return true;
    }
}
