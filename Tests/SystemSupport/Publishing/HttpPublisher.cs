using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Serialization;
using AspireStreaming.TestSupport.Histories;

namespace AspireStreaming.SystemSupport.Publishing;

/// <summary>Publishes JSON arrays over HTTP.</summary>
public sealed class HttpPublisher(HttpClient client, string name, History history, IReadOnlyList<string> streams, TimeSpan? interval = null)
    : LoadPublisher(name, history, streams, interval)
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(10);

    /// <summary>The type of its events.</summary>
    public string EventType { get; set; } = "token";

    /// <summary>Text in its events beside their id.</summary>
    public string? Payload { get; set; }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        client.Dispose();
    }

    protected override async Task<PublishAnswer?> TrySendAsync(string stream, IReadOnlyList<string> ids, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(AnswerTimeout);
        var events = ids.Select(id => new
        {
            id = LeavesIdsToTheService ? null : id,
            subject = LeavesIdsToTheService ? id : null,
            source = "/tests",
            type = EventType,
            data = new { text = id, payload = Payload },
        });
        try
        {
            using var response = await client.PostAsJsonAsync(new Uri($"/streams/{stream}/events", UriKind.Relative), events, Json, limit.Token);
            if (response.StatusCode == HttpStatusCode.OK)
            {
                return await response.Content.ReadFromJsonAsync<PublishAnswer>(limit.Token);
            }

            var isPassing = response.StatusCode is HttpStatusCode.ServiceUnavailable or HttpStatusCode.TooManyRequests;
            if (!isPassing || response.Headers.RetryAfter is null)
            {
                History.Report(
                    FindingKind.WrongAnswer, stream, Name,
                    $"{(int)response.StatusCode} Retry-After {response.Headers.RetryAfter?.ToString() ?? "missing"}: "
                    + await response.Content.ReadAsStringAsync(limit.Token));
            }

            return null;
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or SocketException or JsonException
            || (exception is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return null;
        }
    }
}
