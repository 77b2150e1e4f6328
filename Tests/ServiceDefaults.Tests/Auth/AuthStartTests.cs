using System.Net;
using Microsoft.Extensions.Options;

namespace AspireStreaming.ServiceDefaults.Tests.Auth;

public sealed class AuthStartTests
{
    [Fact]
    public async Task Start_outside_Development_without_authentication_is_refused_and_says_what_to_configure()
    {
        var exception = await Assert.ThrowsAsync<OptionsValidationException>(
            () => GuardedService.StartAsync(new() { ["Auth:AllowAnonymous"] = "false" }));

        Assert.Contains("Production", exception.Message, StringComparison.Ordinal);
        Assert.Contains("Auth:Jwt:Secret", exception.Message, StringComparison.Ordinal);
        Assert.Contains("Auth:Jwt:Jwks", exception.Message, StringComparison.Ordinal);
        Assert.Contains("Auth:ApiKeys", exception.Message, StringComparison.Ordinal);
        Assert.Contains("Auth:AllowAnonymous=true", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Development", null)]
    [InlineData("Production", "true")]
    public async Task Service_without_authentication_is_open_to_everybody(string environment, string? allowAnonymous)
    {
        await using var service = await GuardedService.StartAsync(new() { ["Auth:AllowAnonymous"] = allowAnonymous }, environment: environment);

        var who = (await service.SendAsync("/who")).ShouldBe(HttpStatusCode.OK).Json;

        Assert.True((bool)who["admin"]!);
        Assert.Null(who["subject"]);
        (await service.SendAsync("/admin")).ShouldBe(HttpStatusCode.OK);
        (await service.SendAsync("/read/x")).ShouldBe(HttpStatusCode.OK);
        (await service.SendAsync("/metrics")).ShouldBe(HttpStatusCode.OK);
        Assert.NotNull((await service.GetJsonAsync("/health"))["dependencies"]);
    }

    [Fact]
    public async Task Service_with_authentication_is_closed_in_Development_too()
    {
        await using var service = await GuardedService.StartAsync(GuardedService.WithSecret, environment: "Development");

        (await service.SendAsync("/who")).ShouldBe(HttpStatusCode.Unauthorized, "unauthenticated");
    }

    [Theory]
    [InlineData("Auth:Jwt:Secret must have at least 32 bytes", "Auth:Jwt:Secret", "too short")]
    [InlineData("must be an https URL", "Auth:Jwt:Jwks", "http://keys.example/jwks.json")]
    [InlineData("Auth:Jwt:ClockSkew", "Auth:Jwt:Secret", "0123456789abcdef0123456789abcdef", "Auth:Jwt:ClockSkew", "01:00:00")]
    [InlineData("Auth:ApiKeys:0 must have either Sha256 or Key", "Auth:ApiKeys:0:Name", "a")]
    [InlineData("Auth:ApiKeys:0:Name", "Auth:ApiKeys:0:Key", "0123456789abcdef")]
    [InlineData("at least 16 characters", "Auth:ApiKeys:0:Name", "a", "Auth:ApiKeys:0:Key", "short")]
    [InlineData("64 hexadecimal digits", "Auth:ApiKeys:0:Name", "a", "Auth:ApiKeys:0:Sha256", "0123")]
    [InlineData("Auth:AllowAnonymous is true although", "Auth:Jwt:Secret", "0123456789abcdef0123456789abcdef", "Auth:AllowAnonymous", "true")]
    [InlineData("is no origin", "Auth:Jwt:Secret", "0123456789abcdef0123456789abcdef", "Auth:CookieOrigins:0", "app.example")]
    public async Task Setting_that_cannot_be_meant_is_refused(string complaint, params string[] settings)
    {
        var exception = await Assert.ThrowsAsync<OptionsValidationException>(
            () => GuardedService.StartAsync(settings.Chunk(2).ToDictionary(pair => pair[0], pair => (string?)pair[1])));

        Assert.Contains(complaint, exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("0123456789abcdef", exception.Message, StringComparison.Ordinal);
    }
}
