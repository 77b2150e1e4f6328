using System.Net;
using AspireStreaming.TestSupport;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace AspireStreaming.ServiceDefaults.Tests.Auth;

public sealed class KeySetTests : IDisposable
{
    private const string Runs = """{"sub":"ann","iss":"https://issuer.example","aud":"aspirestreaming","subscribe":["runs:*"]}""";

    private readonly TokenIssuer _issuer = new();
    private readonly string _file = Path.Combine(Path.GetTempPath(), $"jwks-{Guid.NewGuid():N}.json");

    public void Dispose()
    {
        _issuer.Dispose();
        File.Delete(_file);
    }

    [Fact]
    public async Task Tokens_of_a_key_set_file_are_accepted_by_RS256_and_ES256()
    {
        await using var service = await StartAsync(_issuer.Jwks);

        var rsa = (await service.SendAsync("/who", _issuer.Rs256(TokenIssuer.Claims(Runs)))).ShouldBe(HttpStatusCode.OK);
        (await service.SendAsync("/read/runs:1", _issuer.Es256(TokenIssuer.Claims(Runs)))).ShouldBe(HttpStatusCode.OK);

        Assert.Equal("jwt:https://issuer.example|ann", (string?)rsa.Json["subject"]);
    }

    [Fact]
    public async Task Token_of_a_wrong_key_or_algorithm_is_refused()
    {
        using var stranger = new TokenIssuer();
        await using var service = await StartAsync(_issuer.Jwks);
        var claims = TokenIssuer.Claims(Runs);
        string[] bad =
        [
            stranger.Rs256(claims),
            stranger.Rs256(claims, _issuer.RsaKeyId),
            stranger.Es256(claims, _issuer.EcKeyId),
            _issuer.Rs256(claims, _issuer.EcKeyId),

            // The public key taken for a shared secret, the classic confusion.
            TokenIssuer.Forge("""{"alg":"HS256"}""", claims, _issuer.RsaPublicPem),
            TokenIssuer.Forge($$"""{"alg":"HS256","kid":"{{_issuer.RsaKeyId}}"}""", claims, _issuer.RsaPublicPem),
            TokenIssuer.Forge($$"""{"alg":"RS256","kid":"{{_issuer.RsaKeyId}}"}""", claims, _issuer.RsaPublicPem),
            TokenIssuer.Forge("""{"alg":"none"}""", claims, null),
        ];

        foreach (var token in bad)
        {
            (await service.SendAsync("/who", token)).ShouldBe(HttpStatusCode.Unauthorized, "unauthenticated");
        }
    }

    [Theory]
    [InlineData("https://issuer.example", "aspirestreaming", HttpStatusCode.OK)]
    [InlineData("https://other.example", "aspirestreaming", HttpStatusCode.Unauthorized)]
    [InlineData("https://issuer.example", "another-service", HttpStatusCode.Unauthorized)]
    public async Task Issuer_and_audience_are_checked_when_configured(string issuer, string audience, HttpStatusCode expected)
    {
        await using var service = await StartAsync(_issuer.Jwks, ("Auth:Jwt:Issuer", issuer), ("Auth:Jwt:Audience", audience));

        (await service.SendAsync("/who", _issuer.Rs256(TokenIssuer.Claims(Runs)))).ShouldBe(expected);
    }

    [Fact]
    public async Task Key_that_is_new_in_the_set_is_found_when_a_token_names_it()
    {
        using var next = new TokenIssuer();
        await using var service = await StartAsync(_issuer.Jwks, ("Auth:Jwt:JwksMinInterval", "00:00:00.100"), ("Auth:Jwt:JwksRefresh", "01:00:00"));
        (await service.SendAsync("/who", _issuer.Rs256(TokenIssuer.Claims(Runs)))).ShouldBe(HttpStatusCode.OK);
        var token = next.Rs256(TokenIssuer.Claims(Runs));
        (await service.SendAsync("/who", token)).ShouldBe(HttpStatusCode.Unauthorized);

        await File.WriteAllTextAsync(_file, next.Jwks, TestContext.Current.CancellationToken);

        await Eventually.TrueAsync(
            async () => (await service.SendAsync("/who", token)).Status == HttpStatusCode.OK,
            TimeSpan.FromSeconds(10),
            "the new key is known",
            TestContext.Current.CancellationToken);
        (await service.SendAsync("/who", _issuer.Rs256(TokenIssuer.Claims(Runs)))).ShouldBe(HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task Key_set_stays_in_use_while_its_source_is_broken()
    {
        await using var service = await StartAsync(
            _issuer.Jwks, ("Auth:Jwt:JwksMinInterval", "00:00:00.100"), ("Auth:Jwt:JwksRefresh", "00:00:01"));
        var token = _issuer.Rs256(TokenIssuer.Claims(Runs));
        (await service.SendAsync("/who", token)).ShouldBe(HttpStatusCode.OK);

        await File.WriteAllTextAsync(_file, "<html>", TestContext.Current.CancellationToken);
        using var stranger = new TokenIssuer();
        (await service.SendAsync("/who", stranger.Rs256(TokenIssuer.Claims(Runs)))).ShouldBe(HttpStatusCode.Unauthorized);

        (await service.SendAsync("/who", _issuer.Rs256(TokenIssuer.Claims(Runs, 601)))).ShouldBe(HttpStatusCode.OK);
    }

    [Theory]
    [InlineData("<html>")]
    [InlineData("""{"keys":[]}""")]
    [InlineData("""{"keys":[{"kty":"oct","k":"YSBzZWNyZXQgb2YgdGhlIHRlc3RzLCAzMiBieXRlcyBhdCBsZWFzdA"}]}""")]
    [InlineData(null)]
    public async Task Tokens_are_503_as_long_as_no_key_could_be_read(string? content)
    {
        await using var service = await StartAsync(content);

        var reply = await service.SendAsync("/who", _issuer.Rs256(TokenIssuer.Claims(Runs)));

        reply.ShouldBe(HttpStatusCode.ServiceUnavailable, "keys-unavailable");
        Assert.Equal("5", reply.RetryAfter);
        (await service.SendAsync("/who")).ShouldBe(HttpStatusCode.Unauthorized, "unauthenticated");
    }

    [Fact]
    public async Task Key_set_comes_from_a_url_too_and_is_asked_for_seldom()
    {
        var asked = 0;
        await using var source = await TestService.StartAsync(map: app => app.MapGet("/jwks.json", () =>
        {
            Interlocked.Increment(ref asked);
            return Results.Text(_issuer.Jwks, "application/json");
        }));
        await using var service = await GuardedService.StartAsync(new() { ["Auth:Jwt:Jwks"] = $"{source.Client.BaseAddress}jwks.json" });
        using var stranger = new TokenIssuer();

        for (var round = 0; round < 20; round++)
        {
            (await service.SendAsync("/who", _issuer.Rs256(TokenIssuer.Claims(Runs, 600 + round)))).ShouldBe(HttpStatusCode.OK);
            (await service.SendAsync("/who", stranger.Rs256(TokenIssuer.Claims(Runs, 600 + round)))).ShouldBe(HttpStatusCode.Unauthorized);
        }

        Assert.InRange(asked, 1, 2);
    }

    private async Task<TestService> StartAsync(string? content, params (string Name, string Value)[] settings)
    {
        if (content is not null)
        {
            await File.WriteAllTextAsync(_file, content, TestContext.Current.CancellationToken);
        }

        var all = settings.ToDictionary(setting => setting.Name, setting => (string?)setting.Value);
        all["Auth:Jwt:Jwks"] = _file;
        return await GuardedService.StartAsync(all);
    }
}
