using System.Net;
using System.Net.Http.Headers;
using System.Text;

namespace AspireStreaming.Client.Tests.Support;

/// <summary>A service that answers by a script, one answer a request; the last one serves all further requests.</summary>
internal sealed class ScriptedHandler(params Func<HttpRequestMessage, HttpResponseMessage>[] answers) : HttpMessageHandler
{
    private readonly List<Request> _requests = [];

    public IReadOnlyList<Request> Requests => _requests;

    public static HttpResponseMessage Json(string body, HttpStatusCode status = HttpStatusCode.OK) =>
        new(status) { Content = new StringContent(body, Encoding.UTF8, status == HttpStatusCode.OK ? "application/json" : "application/problem+json") };

    public static HttpResponseMessage Receipt(int accepted, int duplicates = 0) =>
        Json($$"""{"stream":"s","first":"5-1","last":"5-{{accepted + duplicates}}","accepted":{{accepted}},"duplicates":{{duplicates}},"durability":"log"}""");

    public static HttpResponseMessage Unavailable(int retryAfterSeconds)
    {
        var response = Json("""{"type":"urn:aspirestreaming:problem:redis-unavailable","title":"away","status":503}""", HttpStatusCode.ServiceUnavailable);
        response.Headers.RetryAfter = new RetryConditionHeaderValue(TimeSpan.FromSeconds(retryAfterSeconds));
        return response;
    }

    /// <summary>A connection that says this and ends.</summary>
    public static HttpResponseMessage Sse(params string[] frames) => new(HttpStatusCode.OK)
    {
        Content = new StringContent("retry: 1\n\n" + string.Concat(frames), Encoding.UTF8, "text/event-stream"),
    };

    public static string Event(long sequence, string type = "token", string stream = "s", long epoch = 5) =>
        $"id: {epoch}-{sequence}\nevent: {type}\n"
        + $$"""data: {"specversion":"1.0","id":"i{{sequence}}","source":"/t","type":"{{type}}","stream":"{{stream}}","position":"{{epoch}}-{{sequence}}","data":{{sequence}}}"""
        + "\n\n";

    public static string Control(string name, string json) => $"event: {name}\ndata: {json}\n\n";

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var body = request.Content is null ? "" : await request.Content.ReadAsStringAsync(cancellationToken);
        _requests.Add(new Request(
            request.RequestUri!.PathAndQuery,
            request.Headers.TryGetValues("Last-Event-ID", out var id) ? id.Single() : null,
            body,
            request.Headers.ToDictionary(static pair => pair.Key, static pair => string.Join(',', pair.Value))));
        var response = answers[Math.Min(_requests.Count, answers.Length) - 1](request);
        response.RequestMessage = request;
        return response;
    }

    internal sealed record Request(string Path, string? LastEventId, string Body, IReadOnlyDictionary<string, string> Headers);
}
