using System.Net;
using AspireStreaming.TestSupport;

namespace AspireStreaming.ServiceDefaults.Tests.Auth;

public sealed class BearerTokenTests : IAsyncLifetime
{
    private const string Runs = """{"sub":"ann","publish":["runs:*"],"subscribe":["runs:*","logs"]}""";

    private TestService _service = null!;

    public async ValueTask InitializeAsync() => _service = await GuardedService.StartAsync(GuardedService.WithSecret);

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Theory]
    [InlineData("/who")]
    [InlineData("/read/runs:1")]
    [InlineData("/metrics")]
    [InlineData("/openapi/v1.json")]
    [InlineData("/no/such/route")]
    public async Task Request_without_a_credential_is_401_with_a_challenge(string path)
    {
        var reply = await _service.SendAsync(path);

        reply.ShouldBe(HttpStatusCode.Unauthorized, "unauthenticated");
        Assert.Equal("Bearer realm=\"aspirestreaming\", ApiKey realm=\"aspirestreaming\"", reply.Challenge);
    }

    [Theory]
    [InlineData("/alive")]
    [InlineData("/health")]
    [InlineData("/open")]
    public async Task Open_route_needs_no_credential(string path) => (await _service.SendAsync(path)).ShouldBe(HttpStatusCode.OK);

    [Fact]
    public async Task Token_grants_what_its_claims_say()
    {
        var token = TokenIssuer.Hs256(TokenIssuer.Claims(Runs, expiresIn: 600));

        var who = (await _service.SendAsync("/who", token)).ShouldBe(HttpStatusCode.OK).Json;

        Assert.Equal("jwt:ann", (string?)who["subject"]);
        Assert.False((bool)who["admin"]!);
        Assert.False((bool)who["high"]!);
        Assert.True((bool)who["publishRuns"]!);
        Assert.True((bool)who["subscribeRuns"]!);
        Assert.False((bool)who["subscribeJobs"]!);
        Assert.Equal("Bearer " + token, (string?)who["forward"]);
    }

    [Theory]
    [InlineData("""{"sub":"a","publish":"runs:*"}""", true)]
    [InlineData("""{"sub":"a","publish":"jobs runs:*"}""", true)]
    [InlineData("""{"sub":"a","publish":["jobs"]}""", false)]
    [InlineData("""{"sub":"a","publish":[]}""", false)]
    [InlineData("""{"sub":"a","publish":42}""", false)]
    [InlineData("""{"sub":"a","publish":[1,null,"runs:1"]}""", true)]
    [InlineData("""{"sub":"a"}""", false)]
    [InlineData("""{"sub":"a","admin":true}""", true)]
    [InlineData("""{"sub":"a","admin":false}""", false)]
    [InlineData("""{"sub":"a","admin":"true"}""", false)]
    [InlineData("""{"sub":"a","admin":1}""", false)]
    public async Task Claim_publish_is_a_list_of_patterns(string claims, bool granted)
    {
        var who = (await _service.SendAsync("/who", TokenIssuer.Hs256(TokenIssuer.Claims(claims)))).ShouldBe(HttpStatusCode.OK).Json;

        Assert.Equal(granted, (bool)who["publishRuns"]!);
    }

    [Fact]
    public async Task Claim_priority_high_is_told()
    {
        var who = await _service.SendAsync("/who", TokenIssuer.Hs256(TokenIssuer.Claims("""{"sub":"a","priority":"high"}""")));

        Assert.True((bool)who.Json["high"]!);
    }

    [Fact]
    public async Task Stream_without_a_matching_pattern_is_403_that_names_stream_and_claim()
    {
        var token = TokenIssuer.Hs256(TokenIssuer.Claims(Runs));
        using var write = new HttpRequestMessage(HttpMethod.Post, "/write/logs");

        (await _service.SendAsync("/read/logs", token)).ShouldBe(HttpStatusCode.OK);
        var read = (await _service.SendAsync("/read/jobs:1", token)).ShouldBe(HttpStatusCode.Forbidden, "forbidden");
        var written = (await _service.SendAsync(write, ("Authorization", "Bearer " + token))).ShouldBe(HttpStatusCode.Forbidden, "forbidden");

        Assert.Equal(("jobs:1", "subscribe"), ((string?)read.Json["stream"], (string?)read.Json["claim"]));
        Assert.Equal(("logs", "publish"), ((string?)written.Json["stream"], (string?)written.Json["claim"]));
        Assert.Contains("insufficient_scope", read.Challenge, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Admin_route_needs_the_claim_admin()
    {
        var plain = (await _service.SendAsync("/admin", TokenIssuer.Hs256(TokenIssuer.Claims(Runs))))
            .ShouldBe(HttpStatusCode.Forbidden, "forbidden");
        var admin = TokenIssuer.Hs256(TokenIssuer.Claims("""{"sub":"root","admin":true}"""));

        Assert.Equal("admin", (string?)plain.Json["claim"]);
        (await _service.SendAsync("/admin", admin)).ShouldBe(HttpStatusCode.OK);
        (await _service.SendAsync("/metrics", admin)).ShouldBe(HttpStatusCode.OK);
        (await _service.SendAsync("/read/any", admin)).ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Token_that_is_not_valid_is_401_that_says_why()
    {
        using var stranger = new TokenIssuer();
        var good = TokenIssuer.Hs256(TokenIssuer.Claims(Runs));
        var parts = good.Split('.');
        (string Token, string Why)[] bad =
        [
            (TokenIssuer.Hs256(TokenIssuer.Claims(Runs, expiresIn: -60)), "expired"),
            (TokenIssuer.Hs256(Runs), "no expiry"),
            (TokenIssuer.Hs256(TokenIssuer.Claims("""{"sub":"a","nbf":4000000000}""")), "not valid yet"),
            (TokenIssuer.Hs256(TokenIssuer.Claims(Runs), "another secret, also of 32 bytes or more"), "signature"),
            ($"{parts[0]}.{parts[1]}.{new string('A', parts[2].Length)}", "signature"),
            (TokenIssuer.Forge("""{"alg":"none"}""", TokenIssuer.Claims(Runs), null), ""),
            (TokenIssuer.Forge("""{"alg":"HS512"}""", TokenIssuer.Claims(Runs), TokenIssuer.Secret), ""),
            (stranger.Rs256(TokenIssuer.Claims(Runs)), ""),
            ("not.a.token", "malformed"),
            ("notatoken", "malformed"),
            (new string('x', 20_000), "malformed"),
        ];

        foreach (var (token, why) in bad)
        {
            var reply = (await _service.SendAsync("/who", token)).ShouldBe(HttpStatusCode.Unauthorized, "unauthenticated");
            Assert.Contains(why, (string)reply.Json["detail"]!, StringComparison.Ordinal);
            Assert.Contains("error=\"invalid_token\"", reply.Challenge, StringComparison.Ordinal);
            Assert.DoesNotContain(token, reply.Body, StringComparison.Ordinal);
        }

        (await _service.SendAsync("/who", good)).ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Cookie_is_accepted_from_the_services_own_pages_only()
    {
        var cookie = ("Cookie", "aspirestreaming=" + TokenIssuer.Hs256(TokenIssuer.Claims(Runs)));
        var own = _service.Client.BaseAddress!.GetLeftPart(UriPartial.Authority);

        (await _service.SendAsync("/who", null, cookie)).ShouldBe(HttpStatusCode.OK);
        (await _service.SendAsync("/who", null, cookie, ("Origin", own))).ShouldBe(HttpStatusCode.OK);
        (await _service.SendAsync("/who", null, cookie, ("Sec-Fetch-Site", "same-origin"))).ShouldBe(HttpStatusCode.OK);
        (await _service.SendAsync("/who", null, cookie, ("Origin", "https://evil.example"))).ShouldBe(HttpStatusCode.Unauthorized);
        (await _service.SendAsync("/who", null, cookie, ("Origin", "null"))).ShouldBe(HttpStatusCode.Unauthorized);
        (await _service.SendAsync("/who", null, cookie, ("Sec-Fetch-Site", "cross-site"))).ShouldBe(HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task Cookie_is_accepted_from_an_origin_that_is_configured()
    {
        await using var service = await GuardedService.StartAsync(
            new() { ["Auth:Jwt:Secret"] = TokenIssuer.Secret, ["Auth:CookieOrigins:0"] = "https://app.example" });
        var cookie = ("Cookie", "aspirestreaming=" + TokenIssuer.Hs256(TokenIssuer.Claims(Runs)));

        (await service.SendAsync("/who", null, cookie, ("Origin", "https://app.example"))).ShouldBe(HttpStatusCode.OK);
        (await service.SendAsync("/who", null, cookie, ("Origin", "https://app.example.evil"))).ShouldBe(HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task Query_token_is_accepted_with_GET_only()
    {
        var token = TokenIssuer.Hs256(TokenIssuer.Claims("""{"sub":"a","admin":true}"""));
        using var post = new HttpRequestMessage(HttpMethod.Post, $"/write/runs:1?access_token={token}");

        (await _service.SendAsync($"/who?access_token={token}")).ShouldBe(HttpStatusCode.OK);
        (await _service.SendAsync(post)).ShouldBe(HttpStatusCode.Unauthorized);
    }

    [Theory]
    [InlineData("access_token=TOKEN", "")]
    [InlineData("a=1&access_token=TOKEN&b=%20x", "?a=1&b=%20x")]
    [InlineData("access%5Ftoken=TOKEN&b", "?b=")]
    public async Task Query_token_is_gone_before_anything_sees_the_url(string query, string left)
    {
        var token = TokenIssuer.Hs256(TokenIssuer.Claims(Runs));

        var reply = await _service.SendAsync("/query?" + query.Replace("TOKEN", token, StringComparison.Ordinal));

        Assert.Equal(left, reply.ShouldBe(HttpStatusCode.OK).Body);
    }

    [Fact]
    public async Task Call_of_grpc_without_a_credential_is_answered_as_grpc()
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/who")
        {
            Content = new ByteArrayContent([]) { Headers = { ContentType = new("application/grpc") } },
        };
        using var response = await _service.Client.SendAsync(request, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("16", response.Headers.GetValues("grpc-status").Single());
    }
}
