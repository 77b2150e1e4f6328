using System.Net;
using System.Net.ServerSentEvents;
using System.Net.Sockets;
using System.Text.Json;
using AspireStreaming.TestSupport.Histories;

namespace AspireStreaming.SystemSupport.Subscribing;

/// <summary>A subscriber as a browser's EventSource is one: it comes back with the last id.</summary>
/// <param name="client">Its client, which it disposes.</param>
/// <param name="track">What came, and where to begin.</param>
/// <param name="history">Where it reports answers that must not be.</param>
/// <param name="query">More of the address's query, such as <c>policy=drop&amp;lag=10</c>.</param>
public sealed class SseSubscriber(HttpClient client, SubscriberTrack track, History history, string query = "") : LoadSubscriber(track, history)
{
    private string? _lastId = track.Start == LogPosition.Zero ? null : track.Start.ToString();

    /// <summary>
    /// Silence after which it connects again: a network that swallows everything never ends a connection, and heartbeats tell silence
    /// from quiet.
    /// </summary>
    public TimeSpan SilenceTimeout { get; init; } = TimeSpan.FromSeconds(20);

    protected override void Dispose() => client.Dispose();

    protected override bool IsExpected(Exception exception) =>
        exception is HttpRequestException { StatusCode: null or HttpStatusCode.ServiceUnavailable or HttpStatusCode.TooManyRequests }
            or IOException or SocketException or OperationCanceledException;

    protected override async Task<bool> FollowAsync(CancellationToken cancellationToken)
    {
        using var silence = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        silence.CancelAfter(SilenceTimeout);
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/streams/{Track.Stream}/events{(query.Length > 0 ? "?" : "")}{query}");
        request.Headers.Accept.ParseAdd("text/event-stream");
        if (_lastId is not null)
        {
            request.Headers.Add("Last-Event-ID", _lastId);
        }

        using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, silence.Token);
        if (response.StatusCode == HttpStatusCode.NoContent)
        {
            return true;
        }

        response.EnsureSuccessStatusCode();
        NoteConnection();
        await using var body = await response.Content.ReadAsStreamAsync(silence.Token);
        await using var watched = new WatchedStream(body, () => silence.CancelAfter(SilenceTimeout));
        var parser = SseParser.Create(watched);
        await foreach (var item in parser.EnumerateAsync(silence.Token))
        {
            if (item.EventType.StartsWith("stream.", StringComparison.Ordinal))
            {
                Track.Control(item.EventType, item.Data);
                if (item.EventType == "stream.end")
                {
                    return true;
                }
            }
            else if (item.Data.Length > 0)
            {
                using var json = JsonDocument.Parse(item.Data);
                NoteEvent(Track, json.RootElement);
                _lastId = item.EventId;
                await PaceAsync(cancellationToken);
            }
        }

        return false;
    }
}
