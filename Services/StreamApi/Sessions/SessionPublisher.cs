using System.Globalization;
using System.Net;
using System.Text.Json;
using Microsoft.Extensions.Options;
using Microsoft.Net.Http.Headers;

namespace AspireStreaming.StreamApi.Sessions;

/// <summary>
/// Hands the publishes of sessions to the Publisher API, as their client. What got no answer, or 503, is tried again; the events
/// have ids, so nothing is appended twice.
/// </summary>
internal sealed class SessionPublisher(
    IHttpClientFactory clients, IOptions<SessionOptions> options, TimeProvider time, ILogger<SessionPublisher> logger)
{
    /// <summary>Name of the HTTP client.</summary>
    public const string ClientName = "publisher-api";

    private static readonly TimeSpan MaxRetryDelay = TimeSpan.FromSeconds(5);

    /// <summary>An answer that waits for the archive must come before the try times out; the Publisher API then says 202.</summary>
    private static readonly TimeSpan MaxArchiveWait = TimeSpan.FromSeconds(8);

    private readonly SessionOptions _options = options.Value;

    /// <summary>Publishes to all streams of a command; one result for each, in their order. Fails only when cancelled.</summary>
    /// <param name="command">What to publish.</param>
    /// <param name="authorization">In whose name: the value of the header, or null.</param>
    /// <param name="retried">Called for each further try.</param>
    /// <param name="cancellationToken">Ends waiting; what was sent may be appended or not.</param>
    public async Task<PublishResult[]> PublishAsync(
        PublishCommand command, string? authorization, Action retried, CancellationToken cancellationToken)
    {
        var results = new PublishResult[command.Streams.Count];
        await Parallel.ForAsync(
            0,
            results.Length,
            new ParallelOptions { MaxDegreeOfParallelism = _options.PublishParallelism, CancellationToken = cancellationToken },
            async (index, token) => results[index] = await PublishAsync(command.Streams[index], command, authorization, retried, token));
        return results;
    }

    private async Task<PublishResult> PublishAsync(
        string stream, PublishCommand command, string? authorization, Action retried, CancellationToken cancellationToken)
    {
        for (var attempt = 0; ; attempt++)
        {
            var (result, pause) = await TryAsync(stream, command, authorization, cancellationToken);
            if (result.Status != StatusCodes.Status503ServiceUnavailable)
            {
                return result;
            }

            if (attempt == _options.PublishRetries)
            {
                SessionLog.PublishGivenUp(logger, stream, attempt + 1, result.Fault?.Detail);
                return result;
            }

            retried();
            await Task.Delay(pause ?? Backoff(attempt), time, cancellationToken);
        }
    }

    private TimeSpan Backoff(int attempt)
    {
        var delay = _options.PublishRetryDelay * Math.Pow(2, attempt);
        return (delay < MaxRetryDelay ? delay : MaxRetryDelay) * (0.5 + (Random.Shared.NextDouble() / 2));
    }

    private async Task<(PublishResult Result, TimeSpan? Pause)> TryAsync(
        string stream, PublishCommand command, string? authorization, CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(_options.PublishTimeout, time);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, patience.Token);
        try
        {
            using var client = clients.CreateClient(ClientName);
            using var request = new HttpRequestMessage(HttpMethod.Post, Target(stream, command));
            request.Content = new ReadOnlyMemoryContent(command.Events);
            request.Content.Headers.ContentType = new System.Net.Http.Headers.MediaTypeHeaderValue("application/json");
            if (authorization is not null)
            {
                request.Headers.TryAddWithoutValidation(HeaderNames.Authorization, authorization);
            }

            using var response = await client.SendAsync(request, limit.Token);
            await using var body = await response.Content.ReadAsStreamAsync(limit.Token);
            using var document = await ReadAsync(body, limit.Token);
            return (Describe(stream, response, document?.RootElement), Pause(response));
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            // No connection, no answer in time, or the resilience pipeline let nothing through.
            SessionLog.PublishFailed(logger, stream, exception);
            var fault = SessionFault.Unavailable(
                "publisher-unavailable", "The Publisher API did not answer. The events may have been appended: repeat them with the ids that they have.");
            return (new PublishResult(stream, fault.Status) { Fault = fault }, null);
        }
    }

    private string Target(string stream, PublishCommand command)
    {
        var query = command.Expected is { } expected ? $"?expected={expected}" : "";
        if (command.IsArchived)
        {
            var wait = TimeSpan.FromTicks(Math.Min(MaxArchiveWait.Ticks, Math.Max(_options.PublishTimeout.Ticks / 2, TimeSpan.TicksPerSecond)));
            query += string.Create(
                CultureInfo.InvariantCulture, $"{(query.Length == 0 ? '?' : '&')}durability=archived&timeout={wait.TotalSeconds:0.###}");
        }

        return $"/streams/{stream}/events{query}";
    }

    private static TimeSpan? Pause(HttpResponseMessage response) => response.Headers.RetryAfter?.Delta is { } delay
        ? TimeSpan.FromTicks(Math.Min(delay.Ticks, MaxRetryDelay.Ticks))
        : null;

    private static async Task<JsonDocument?> ReadAsync(Stream body, CancellationToken cancellationToken)
    {
        try
        {
            return await JsonDocument.ParseAsync(body, default, cancellationToken);
        }
        catch (JsonException)
        {
            // Something between us answered.
            return null;
        }
    }

    private static PublishResult Describe(string stream, HttpResponseMessage response, JsonElement? body)
    {
        var status = (int)response.StatusCode;
        if (response.StatusCode is HttpStatusCode.OK or HttpStatusCode.Accepted)
        {
            return new PublishResult(stream, status)
            {
                First = Text(body, "first") ?? "",
                Last = Text(body, "last") ?? "",
                Accepted = Number(body, "accepted"),
                Duplicates = Number(body, "duplicates"),
            };
        }

        var fault = new SessionFault(
            status, Text(body, "type") ?? "publish-failed", Text(body, "title") ?? "The publish failed", Text(body, "detail") ?? "")
        {
            Current = Text(body, "current") ?? "",
            RetryAfterSeconds = (int)Math.Ceiling(response.Headers.RetryAfter?.Delta?.TotalSeconds ?? 0),
        };
        return new PublishResult(stream, status) { Fault = fault };
    }

    private static string? Text(JsonElement? body, string name) =>
        body is { ValueKind: JsonValueKind.Object } known && known.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
            ? value.GetString()
            : null;

    private static int Number(JsonElement? body, string name) =>
        body is { ValueKind: JsonValueKind.Object } known && known.TryGetProperty(name, out var value) && value.TryGetInt32(out var number)
            ? number
            : 0;
}
