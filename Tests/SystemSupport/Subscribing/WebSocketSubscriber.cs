using System.Globalization;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using AspireStreaming.TestSupport.Histories;

namespace AspireStreaming.SystemSupport.Subscribing;

/// <summary>A subscriber of several streams by one WebSocket, with a window for each.</summary>
public sealed class WebSocketSubscriber(Uri address, IReadOnlyList<SubscriberTrack> tracks, History history) : LoadSubscriber(tracks, history)
{
    private const int Window = 32;
    private const int AcknowledgeEvery = 8;

    private static readonly TimeSpan SilenceTimeout = TimeSpan.FromSeconds(20);

    private readonly Uri _address = new UriBuilder(address) { Scheme = "ws", Path = "/ws" }.Uri;

    protected override bool IsExpected(Exception exception) =>
        exception is WebSocketException or HttpRequestException or IOException or SocketException or OperationCanceledException;

    protected override async Task<bool> FollowAsync(CancellationToken cancellationToken)
    {
        using var silence = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        silence.CancelAfter(SilenceTimeout);
        using var socket = new ClientWebSocket();
        socket.Options.KeepAliveInterval = TimeSpan.FromSeconds(5);
        socket.Options.KeepAliveTimeout = TimeSpan.FromSeconds(5);
        await socket.ConnectAsync(_address, silence.Token);
        for (var sub = 0; sub < Tracks.Count; sub++)
        {
            var from = Tracks[sub].Last == LogPosition.Zero ? "start" : Tracks[sub].Last.ToString();
            await SendAsync(socket, $$"""{"type":"subscribe","sub":"{{sub}}","stream":"{{Tracks[sub].Stream}}","from":"{{from}}","window":{{Window}}}""", silence.Token);
        }

        using var frame = new MemoryStream();
        var buffer = new byte[16 * 1024];
        while (true)
        {
            silence.CancelAfter(Timeout.InfiniteTimeSpan);
            var part = await socket.ReceiveAsync(buffer.AsMemory(), silence.Token);
            if (part.MessageType == WebSocketMessageType.Close)
            {
                return false;
            }

            frame.Write(buffer, 0, part.Count);
            if (part.EndOfMessage)
            {
                using var json = JsonDocument.Parse(frame.GetBuffer().AsMemory(0, (int)frame.Length));
                frame.SetLength(0);
                if (!await TakeAsync(socket, json.RootElement, silence.Token))
                {
                    return false;
                }
            }
        }
    }

    private static Task SendAsync(ClientWebSocket socket, string text, CancellationToken cancellationToken) =>
        socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, endOfMessage: true, cancellationToken);

    /// <returns>False where the session should be opened again.</returns>
    private async Task<bool> TakeAsync(ClientWebSocket socket, JsonElement message, CancellationToken cancellationToken)
    {
        var sub = message.TryGetProperty("sub", out var name) ? name.GetString()! : "";
        var track = sub.Length > 0 ? Tracks[int.Parse(sub, CultureInfo.InvariantCulture)] : Track;
        switch (message.GetProperty("type").GetString())
        {
            case "subscribed":
                NoteConnection();
                break;
            case "event":
                NoteEvent(track, message.GetProperty("event"));
                await PaceAsync(cancellationToken);
                if (track.Count % AcknowledgeEvery == 0)
                {
                    await SendAsync(socket, $$"""{"type":"ack","sub":"{{sub}}","position":"{{track.Last}}"}""", cancellationToken);
                }

                break;
            case "control":
                track.Control(message.GetProperty("name").GetString()!, message.GetProperty("data").GetRawText());
                break;
            case "error" when message.GetProperty("status").GetInt32() is 503 or 429:
                return false;
            case "error":
                History.Report(FindingKind.WrongAnswer, track.Stream, track.Name, message.GetRawText());
                break;
        }

        return true;
    }
}
