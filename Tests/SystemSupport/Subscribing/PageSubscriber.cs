using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using AspireStreaming.TestSupport.Histories;

namespace AspireStreaming.SystemSupport.Subscribing;

/// <summary>A subscriber by long-polled pages.</summary>
public sealed class PageSubscriber(HttpClient client, SubscriberTrack track, History history) : LoadSubscriber(track, history)
{
    private const int WaitSeconds = 5;

    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(20);

    private string _next = track.Start.ToString();

    protected override void Dispose() => client.Dispose();

    protected override bool IsExpected(Exception exception) =>
        exception is HttpRequestException { StatusCode: null or HttpStatusCode.ServiceUnavailable or HttpStatusCode.TooManyRequests }
            or IOException or SocketException or OperationCanceledException;

    protected override async Task<bool> FollowAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(AnswerTimeout);
            using var response = await client.GetAsync(new Uri($"/streams/{Track.Stream}/events?from={_next}&limit=200&wait={WaitSeconds}", UriKind.Relative), limit.Token);
            response.EnsureSuccessStatusCode();
            NoteConnection();
            using var page = await JsonDocument.ParseAsync(await response.Content.ReadAsStreamAsync(limit.Token), cancellationToken: limit.Token);
            if (Take(page.RootElement))
            {
                return true;
            }
        }
    }

    private bool Take(JsonElement page)
    {
        var isCovered = false;
        if (page.GetProperty("gap") is { ValueKind: JsonValueKind.Object } gap)
        {
            Track.Control("stream.gap", gap.GetRawText());
            isCovered = true;
        }

        if (page.TryGetProperty("passed", out var passed))
        {
            foreach (var range in passed.EnumerateArray())
            {
                Track.Control("stream.passed", range.GetRawText());
            }
        }

        foreach (var item in page.GetProperty("events").EnumerateArray())
        {
            var position = item.GetProperty("position").GetString()!;
            if (!isCovered && Track.Last != LogPosition.Zero && LogPosition.Parse(position).Epoch != Track.Last.Epoch)
            {
                // A page says of an epoch's border only that nothing is missing there: by not announcing a gap.
                Track.Control("stream.epoch", $$"""{"previous":"{{Track.Last}}","current":"{{position}}","missed":0}""");
            }

            NoteEvent(Track, item);
            isCovered = false;
        }

        _next = page.GetProperty("next").GetString()!;
        return page.GetProperty("end").ValueKind == JsonValueKind.Object;
    }
}
