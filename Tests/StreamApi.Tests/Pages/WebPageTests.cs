using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using AspireStreaming.StreamApi.Tests.Support;

namespace AspireStreaming.StreamApi.Tests.Pages;

public sealed class WebPageTests(SharedHost shared)
{
    [Theory]
    [InlineData("/", "text/html")]
    [InlineData("/app.js", "text/javascript")]
    [InlineData("/stream-view.js", "text/javascript")]
    [InlineData("/credential.js", "text/javascript")]
    [InlineData("/aspirestreaming.js", "text/javascript")]
    [InlineData("/aspirestreaming/feed.js", "text/javascript")]
    [InlineData("/style.css", "text/css")]
    [InlineData("/icon.svg", "image/svg+xml")]
    public async Task Page_its_files_are_served_with_a_strict_policy_and_validated_copies(string path, string type)
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        using var response = await shared.Host.Client.GetAsync(path, cancellationToken);
        using var again = new HttpRequestMessage(HttpMethod.Get, path);
        again.Headers.IfNoneMatch.Add(response.Headers.ETag!);
        using var unchanged = await shared.Host.Client.SendAsync(again, cancellationToken);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(type, response.Content.Headers.ContentType?.MediaType);
        Assert.True(response.Headers.CacheControl?.NoCache);
        var policy = response.Headers.GetValues("Content-Security-Policy").Single();
        Assert.Contains("default-src 'none'", policy, StringComparison.Ordinal);
        Assert.Contains("connect-src 'self' http://localhost:5101;", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NotModified, unchanged.StatusCode);
    }

    [Fact]
    public async Task Page_learns_where_the_publisher_is()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        await using var elsewhere = await StreamApiHost.StartAsync("127.0.0.1:1", "--services:publisher-api:http:0=http://publisher.example:8080/");

        var standard = await shared.Host.Client.GetFromJsonAsync<JsonElement>("/config.json", cancellationToken);
        var injected = await elsewhere.Client.GetFromJsonAsync<JsonElement>("/config.json", cancellationToken);

        Assert.Equal("http://localhost:5101", standard.GetProperty("publisherUrl").GetString());
        Assert.Equal("http://publisher.example:8080", injected.GetProperty("publisherUrl").GetString());
    }

    [Theory]
    [InlineData("/aspirestreaming.js")]
    [InlineData("/streams/cors/events")]
    public async Task Origins_that_are_listed_may_read_and_others_may_not(string path)
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        await using var host = await StreamApiHost.StartAsync("127.0.0.1:1", "--Cors:Origins:0=https://app.example");

        Assert.Equal("https://app.example", await AskAsync("https://app.example"));
        Assert.Null(await AskAsync("https://other.example"));

        async Task<string?> AskAsync(string origin)
        {
            using var request = new HttpRequestMessage(HttpMethod.Options, path);
            request.Headers.Add("Origin", origin);
            request.Headers.Add("Access-Control-Request-Method", "GET");
            using var response = await host.Client.SendAsync(request, cancellationToken);
            return response.Headers.TryGetValues("Access-Control-Allow-Origin", out var values) ? values.Single() : null;
        }
    }

    [Fact]
    public async Task Stats_health_and_metrics_count_what_is_delivered()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        var stream = TestLog.NewStream();
        await shared.Log.AppendNumbersAsync(stream, 1, 3);
        await using var client = await shared.Host.OpenAsync($"/streams/{stream}/events");
        for (var number = 1; number <= 3; number++)
        {
            await client.ReadEventAsync();
        }

        var stats = await shared.Host.Client.GetFromJsonAsync<JsonElement>("/stats", cancellationToken);
        var health = await shared.Host.Client.GetFromJsonAsync<JsonElement>("/health", cancellationToken);
        var metrics = await shared.Host.Client.GetStringAsync(new Uri("/metrics", UriKind.Relative), cancellationToken);

        Assert.True(stats.GetProperty("connections").GetProperty("active").GetInt32() >= 1);
        Assert.True(stats.GetProperty("connections").GetProperty("transports").GetProperty("sse").GetInt32() >= 1);
        Assert.True(stats.GetProperty("delivered").GetProperty("events").GetInt64() >= 3);
        Assert.True(health.GetProperty("stream").GetProperty("subscribers").GetInt64() >= 1);
        Assert.Equal(1000, health.GetProperty("stream").GetProperty("maxConnections").GetInt64());
        Assert.Contains("aspirestreaming_stream_deliveries", metrics, StringComparison.Ordinal);
        Assert.Contains("aspirestreaming_stream_connections", metrics, StringComparison.Ordinal);
    }
}
