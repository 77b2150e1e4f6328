using System.Diagnostics;
using System.Net;
using System.Text.Json;
using AspireStreaming.Client.Tests.Support;

namespace AspireStreaming.Client.Tests.Publishing;

/// <summary>The publisher against answers that a real service gives at bad times only.</summary>
public sealed class PublishRetryTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task PublishAsync_busy_service_is_asked_again_no_sooner_than_it_says_with_the_same_ids()
    {
        var waits = new List<RetryNotice>();
        using var handler = new ScriptedHandler(
            static _ => ScriptedHandler.Unavailable(1), static _ => ScriptedHandler.Receipt(2));
        var publisher = Create(handler, options => options.OnRetry = waits.Add);

        await publisher.PublishAsync("s", [new NewEvent("a"), new NewEvent("b")], cancellationToken: Token);

        Assert.True(Assert.Single(waits).Delay >= TimeSpan.FromSeconds(1));
        Assert.Equal("away", Assert.IsType<ApiException>(waits[0].Fault).Problem.Title);
        Assert.Equal(2, handler.Requests.Count);
        Assert.Equal(handler.Requests[0].Body, handler.Requests[1].Body);
        var ids = JsonDocument.Parse(handler.Requests[0].Body).RootElement.EnumerateArray().Select(static item => item.GetProperty("id").GetString());
        Assert.Equal(2, ids.Distinct().Count());
    }

    [Theory]
    [InlineData(HttpStatusCode.BadRequest)]
    [InlineData(HttpStatusCode.Unauthorized)]
    [InlineData(HttpStatusCode.Conflict)]
    [InlineData(HttpStatusCode.InternalServerError)]
    public async Task PublishAsync_refusal_is_not_repeated(HttpStatusCode status)
    {
        using var handler = new ScriptedHandler(_ => ScriptedHandler.Json("{}", status));

        var fault = await Assert.ThrowsAsync<ApiException>(() => Create(handler).PublishAsync("s", new NewEvent("a"), cancellationToken: Token));

        Assert.Equal(status, fault.Status);
        Assert.Single(handler.Requests);
    }

    [Fact]
    public async Task PublishAsync_service_that_stays_away_is_given_up()
    {
        using var handler = new ScriptedHandler(static _ => throw new HttpRequestException("refused"));

        var fault = await Assert.ThrowsAsync<ServiceUnreachableException>(() =>
            Create(handler, static options => options.RetryFor = TimeSpan.FromMilliseconds(300)).PublishAsync("s", new NewEvent("a"), cancellationToken: Token));

        Assert.IsType<HttpRequestException>(fault.InnerException);
        Assert.True(handler.Requests.Count > 1);
    }

    [Fact]
    public async Task PublishAsync_incomplete_acknowledgement_is_none()
    {
        using var handler = new ScriptedHandler(static _ => ScriptedHandler.Receipt(1));

        await Assert.ThrowsAsync<InvalidDataException>(() =>
            Create(handler).PublishAsync("s", [new NewEvent("a"), new NewEvent("b")], cancellationToken: Token));
    }

    [Fact]
    public async Task PublishAsync_credentials_and_source_are_sent()
    {
        using var handler = new ScriptedHandler(static _ => ScriptedHandler.Receipt(1));
        var tokens = new Queue<string>(["one", "two"]);
        var publisher = Create(handler, options =>
        {
            options.AccessTokenProvider = _ => ValueTask.FromResult<string?>(tokens.Dequeue());
            options.ApiKey = "key";
            options.Source = "/me";
        });

        await publisher.PublishAsync("s", new NewEvent("a"), cancellationToken: Token);
        await publisher.PublishAsync("s", new NewEvent("a") { Source = "/other" }, cancellationToken: Token);

        Assert.Equal(["Bearer one", "Bearer two"], handler.Requests.Select(static request => request.Headers["Authorization"]));
        Assert.All(handler.Requests, static request => Assert.Equal("key", request.Headers["X-Api-Key"]));
        Assert.Equal(["/me", "/other"], handler.Requests.Select(static request => JsonDocument.Parse(request.Body).RootElement.GetProperty("source").GetString()));
    }

    [Fact]
    public async Task PublishAsync_options_are_asked_for()
    {
        using var handler = new ScriptedHandler(static _ => ScriptedHandler.Receipt(1));
        var options = new PublishOptions
        {
            Expected = new StreamPosition(5, 7),
            Durability = Durability.Archived,
            ArchiveWithin = TimeSpan.FromSeconds(3),
        };

        var receipt = await Create(handler).PublishAsync("s", new NewEvent("a"), options, Token);

        Assert.Equal("/streams/s/events?expected=5-7&durability=archived&timeout=3", handler.Requests[0].Path);
        Assert.Equal(Durability.Log, receipt.Durability);
    }

    [Fact]
    public async Task PublishAsync_faults_show_in_the_trace()
    {
        using var trace = new TraceCapture();
        using var handler = new ScriptedHandler(static _ => ScriptedHandler.Json("""{"type":"urn:x"}""", HttpStatusCode.BadRequest));

        await Assert.ThrowsAsync<ApiException>(() => Create(handler).PublishAsync(trace.Stream, new NewEvent("a"), cancellationToken: Token));

        var span = Assert.Single(trace.Of("publish"));
        Assert.Equal((ActivityStatusCode.Error, "urn:x"), (span.Status, span.GetTagItem("error.type")));
    }

    private static EventPublisher Create(HttpMessageHandler handler, Action<StreamingClientOptions>? configure = null)
    {
        var options = new StreamingClientOptions();
        configure?.Invoke(options);
        return new EventPublisher(new HttpClient(handler, disposeHandler: false) { BaseAddress = new Uri("http://publisher.test") }, options);
    }
}
