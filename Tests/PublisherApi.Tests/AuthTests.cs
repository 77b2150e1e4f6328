using System.Net;
using AspireStreaming.PublisherApi.Tests.Http;
using AspireStreaming.TestSupport;
using AspireStreaming.V1;
using Grpc.Core;
using Grpc.Health.V1;

namespace AspireStreaming.PublisherApi.Tests;

public sealed class AuthTests(Servers servers) : IAsyncLifetime
{
    private const string Body = """{"type":"T"}""";

    private readonly string _stream = PublisherHost.NewStream("mine");
    private readonly string _other = PublisherHost.NewStream("other");
    private readonly string _token = TokenIssuer.Hs256(TokenIssuer.Claims("""{"sub":"p","publish":["mine-*"],"subscribe":["*"]}"""));
    private readonly string _admin = TokenIssuer.Hs256(TokenIssuer.Claims("""{"sub":"root","admin":true}"""));
    private PublisherHost _publisher = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private Publisher.PublisherClient Client => new(_publisher.Grpc);

    public async ValueTask InitializeAsync() =>
        _publisher = await PublisherHost.StartAsync(servers.Redis, servers.Archive, $"--Auth:Jwt:Secret={TokenIssuer.Secret}", "--Auth:Jwt:ClockSkew=00:00:00");

    public ValueTask DisposeAsync() => _publisher.DisposeAsync();

    [Fact]
    public async Task Publish_needs_a_pattern_of_the_claim_publish_for_the_stream()
    {
        (await PostAsync(_stream, null)).ShouldBe(HttpStatusCode.Unauthorized, "unauthenticated");
        (await PostAsync(_stream, _token)).ShouldBeOk(1);
        (await PostAsync(_other, _admin)).ShouldBeOk(1);
        var refused = (await PostAsync(_other, _token)).ShouldBe(HttpStatusCode.Forbidden, "forbidden");

        Assert.Equal(_other, refused.Json.GetProperty("stream").GetString());
        Assert.Equal("publish", refused.Json.GetProperty("claim").GetString());
        Assert.Single(await _publisher.ReadAsync(_other));
    }

    [Fact]
    public async Task Delete_needs_the_claim_publish_and_from_the_archive_the_claim_admin()
    {
        (await PostAsync(_stream, _token)).ShouldBeOk(1);
        (await PostAsync(_other, _admin)).ShouldBeOk(1);

        (await DeleteAsync($"/streams/{_stream}", null)).ShouldBe(HttpStatusCode.Unauthorized, "unauthenticated");
        (await DeleteAsync($"/streams/{_other}", _token)).ShouldBe(HttpStatusCode.Forbidden, "forbidden");
        (await DeleteAsync($"/streams/{_stream}?archive=true", _token)).ShouldBe(HttpStatusCode.Forbidden, "forbidden");
        (await DeleteAsync($"/streams/{_stream}", _token)).ShouldBe(HttpStatusCode.NoContent);
        (await DeleteAsync($"/streams/{_other}?archive=true", _admin)).ShouldBe(HttpStatusCode.NoContent);
    }

    [Fact]
    public async Task Grpc_publish_is_UNAUTHENTICATED_without_a_token_and_PERMISSION_DENIED_without_the_claim()
    {
        var anonymous = await Assert.ThrowsAsync<RpcException>(async () => await Client.PublishAsync(Request(_stream), cancellationToken: Cancel));
        var garbled = await Assert.ThrowsAsync<RpcException>(async () => await Client.PublishAsync(Request(_stream), With("x.y.z"), cancellationToken: Cancel));
        var refused = await Assert.ThrowsAsync<RpcException>(async () => await Client.PublishAsync(Request(_other), With(_token), cancellationToken: Cancel));
        var accepted = await Client.PublishAsync(Request(_stream), With(_token), cancellationToken: Cancel);

        Assert.Equal(StatusCode.Unauthenticated, anonymous.StatusCode);
        Assert.Equal(StatusCode.Unauthenticated, garbled.StatusCode);
        Assert.Equal(StatusCode.PermissionDenied, refused.StatusCode);
        Assert.Contains(_other, refused.Status.Detail, StringComparison.Ordinal);
        Assert.Equal("urn:aspirestreaming:problem:forbidden", refused.Trailers.GetValue("problem-type"));
        Assert.Equal(1, accepted.Accepted);
    }

    [Fact]
    public async Task Grpc_broadcast_refuses_each_stream_by_itself()
    {
        var request = Request("");
        request.Streams.Add([_stream, _other]);

        var response = await Client.PublishAsync(request, With(_token), cancellationToken: Cancel);

        Assert.Equal([200, 403], response.Results.Select(result => result.Status));
        Assert.Empty(await _publisher.ReadAsync(_other));
    }

    [Fact]
    public async Task Grpc_publish_stream_ends_when_the_token_expires()
    {
        var token = TokenIssuer.Hs256(TokenIssuer.Claims("""{"sub":"p","publish":["*"]}""", expiresIn: 3));
        using var call = Client.PublishStream(With(token), cancellationToken: Cancel);
        await call.RequestStream.WriteAsync(Request(_stream), Cancel);
        Assert.True(await call.ResponseStream.MoveNext(Cancel));

        var ended = await Assert.ThrowsAsync<RpcException>(async () => await call.ResponseStream.MoveNext(Cancel));

        Assert.Equal(StatusCode.Unauthenticated, ended.StatusCode);
        Assert.Equal("urn:aspirestreaming:problem:token-expired", ended.Trailers.GetValue("problem-type"));
    }

    [Fact]
    public async Task Upload_ends_when_the_token_expires_and_says_where_to_go_on()
    {
        var token = TokenIssuer.Hs256(TokenIssuer.Claims("""{"sub":"p","publish":["*"]}""", expiresIn: 3));
        using var upload = await OpenUpload.StartAsync(_publisher, _stream, "{\"type\":\"T\"}\n{\"type\":\"T\"}\n", token);

        var answer = (await upload.ReadAnswerAsync()).ShouldBe(HttpStatusCode.Unauthorized, "token-expired");

        answer.WithNumber("accepted", 2).WithNumber("line", 3);
        Assert.Equal(2, (await _publisher.ReadAsync(_stream)).Length);
    }

    [Fact]
    public async Task Health_is_open_over_http_and_grpc_and_metrics_are_not()
    {
        using var health = await _publisher.Http.GetAsync(new Uri("/health", UriKind.Relative), Cancel);
        using var metrics = await _publisher.Http.GetAsync(new Uri("/metrics", UriKind.Relative), Cancel);
        var check = await new Health.HealthClient(_publisher.Grpc).CheckAsync(new HealthCheckRequest(), cancellationToken: Cancel);

        Assert.Equal(HttpStatusCode.OK, health.StatusCode);
        Assert.DoesNotContain("dependencies", await health.Content.ReadAsStringAsync(Cancel), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.Unauthorized, metrics.StatusCode);
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, check.Status);
    }

    [Fact]
    public async Task Preflight_of_the_page_needs_no_credential()
    {
        using var preflight = new HttpRequestMessage(HttpMethod.Options, $"/streams/{_stream}/events");
        preflight.Headers.Add("Origin", "http://localhost:5102");
        preflight.Headers.Add("Access-Control-Request-Method", "POST");
        preflight.Headers.Add("Access-Control-Request-Headers", "authorization,content-type");

        using var response = await _publisher.Http.SendAsync(preflight, Cancel);

        Assert.Equal("http://localhost:5102", response.Headers.GetValues("Access-Control-Allow-Origin").Single());
    }

    private static Metadata With(string token) => new() { { "authorization", "Bearer " + token } };

    private static PublishRequest Request(string stream) => new() { Stream = stream, Events = { new Event { Type = "T" } } };

    private Task<Answer> PostAsync(string stream, string? token) =>
        _publisher.PostAsync(stream, Body, headers: token is null ? [] : [("Authorization", "Bearer " + token)]);

    private async Task<Answer> DeleteAsync(string path, string? token)
    {
        using var request = new HttpRequestMessage(HttpMethod.Delete, path);
        if (token is not null)
        {
            request.Headers.Authorization = new("Bearer", token);
        }

        using var response = await _publisher.Http.SendAsync(request, Cancel);
        return await Answer.ReadAsync(response);
    }
}
