using System.Net;
using System.Text.Json;
using AspireStreaming.Client.Http;

namespace AspireStreaming.Cli.Audit;

/// <summary>Asks the Stream API for its streams and for their audits. Not owner of the connection.</summary>
/// <param name="http">The connection.</param>
/// <param name="timeout">How long one answer may take.</param>
/// <param name="time">The clock.</param>
internal sealed class AuditClient(HttpClient http, TimeSpan timeout, TimeProvider time)
{
    /// <summary>The service looks every listed stream up.</summary>
    private const int StreamsPerPage = 200;

    private const int MaxBodyBytes = 4 * 1024 * 1024;

    /// <summary>Asking again for what took too long would only load the database again.</summary>
    private const string TookTooLong = "urn:aspirestreaming:problem:audit-timeout";

    /// <summary>A page of streams' names, and the cursor of the next page; null on the last.</summary>
    public async Task<(IReadOnlyList<string> Names, string? Next)> ListAsync(string? cursor, CancellationToken cancellationToken)
    {
        var path = $"streams?limit={StreamsPerPage}{(cursor is null ? "" : "&cursor=" + Uri.EscapeDataString(cursor))}";
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        using var response = await http.SendAsync(request, timeout, time, cancellationToken);
        if (response.StatusCode != HttpStatusCode.OK)
        {
            throw await response.FaultAsync("GET /streams", timeout, time, cancellationToken);
        }

        using var document = await ReadAsync(response, cancellationToken);
        if (document is null || !document.RootElement.TryGetProperty("streams", out var streams) || streams.ValueKind != JsonValueKind.Array)
        {
            throw NotUnderstood();
        }

        string[] names = [.. streams.EnumerateArray().Select(static stream => stream.String("name")).OfType<string>()];
        return (names, document.RootElement.String("next"));
    }

    /// <summary>The audit of a stream.</summary>
    public async Task<AuditAnswer> AuditAsync(string stream, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"streams/{stream}/audit");
        using var response = await http.SendAsync(request, timeout, time, cancellationToken);
        if (response.StatusCode == HttpStatusCode.NotFound)
        {
            return default;
        }

        if (response.StatusCode != HttpStatusCode.OK)
        {
            var fault = await response.FaultAsync($"GET /streams/{stream}/audit", timeout, time, cancellationToken);
            return fault.Problem.Type == TookTooLong ? new AuditAnswer(null, fault.Problem.ToString()) : throw fault;
        }

        using var document = await ReadAsync(response, cancellationToken);
        return document is not null && StreamAudit.Read(document.RootElement) is { } audit ? new AuditAnswer(audit, null) : throw NotUnderstood();
    }

    private async Task<JsonDocument?> ReadAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var body = await response.Content.ReadBodyAsync(MaxBodyBytes, timeout, time, cancellationToken);
        try
        {
            var document = JsonDocument.Parse(body ?? default);
            if (document.RootElement.ValueKind == JsonValueKind.Object)
            {
                return document;
            }

            document.Dispose();
        }
        catch (JsonException)
        {
            // As unusable as JSON of another kind.
        }

        return null;
    }

    private InvalidDataException NotUnderstood() => new($"{http.BaseAddress} does not answer like a Stream API.");
}
