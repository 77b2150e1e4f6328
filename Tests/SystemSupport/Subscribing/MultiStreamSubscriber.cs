using System.Net;
using System.Net.ServerSentEvents;
using System.Net.Sockets;
using System.Text.Json;
using AspireStreaming.TestSupport.Histories;

namespace AspireStreaming.SystemSupport.Subscribing;

/// <summary>A subscriber of several streams on one SSE connection, as a browser's EventSource is one.</summary>
public sealed class MultiStreamSubscriber(HttpClient client, IReadOnlyList<SubscriberTrack> tracks, History history) : LoadSubscriber(tracks, history)
{
    private static readonly TimeSpan SilenceTimeout = TimeSpan.FromSeconds(20);

    private readonly Dictionary<string, SubscriberTrack> _tracks = tracks.ToDictionary(track => track.Stream);
    private string? _lastId;

    protected override void Dispose() => client.Dispose();

    protected override bool IsExpected(Exception exception) =>
        exception is HttpRequestException { StatusCode: null or HttpStatusCode.ServiceUnavailable or HttpStatusCode.TooManyRequests }
            or IOException or SocketException or OperationCanceledException;

    protected override async Task<bool> FollowAsync(CancellationToken cancellationToken)
    {
        using var silence = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        silence.CancelAfter(SilenceTimeout);
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/events?{string.Join('&', Tracks.Select(track => $"stream={track.Stream}"))}");
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
            if (item.Data.Length > 0)
            {
                Take(item);
            }

            _lastId = item.EventId ?? _lastId;
        }

        return false;
    }

    private void Take(SseItem<string> item)
    {
        using var json = JsonDocument.Parse(item.Data);
        if (!json.RootElement.TryGetProperty("stream", out var name) || !_tracks.TryGetValue(name.GetString()!, out var track))
        {
            if (item.EventType != "stream.drain")
            {
                History.Report(FindingKind.Phantom, Track.Stream, Track.Name, item.Data);
            }
        }
        else if (item.EventType.StartsWith("stream.", StringComparison.Ordinal))
        {
            track.Control(item.EventType, item.Data);
        }
        else
        {
            NoteEvent(track, json.RootElement);
        }
    }
}
