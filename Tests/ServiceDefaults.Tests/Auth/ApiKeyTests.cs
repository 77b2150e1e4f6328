using System.Net;
using System.Security.Cryptography;
using System.Text;

namespace AspireStreaming.ServiceDefaults.Tests.Auth;

public sealed class ApiKeyTests
{
    private const string Hashed = "key-of-the-collector-0001";
    private const string Plain = "key-of-the-operator-00002";

    private static readonly Dictionary<string, string?> Settings = new()
    {
        ["Auth:ApiKeys:0:Name"] = "collector",
        ["Auth:ApiKeys:0:Sha256"] = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Hashed))),
        ["Auth:ApiKeys:0:Publish:0"] = "runs:*",
        ["Auth:ApiKeys:0:Priority"] = "high",
        ["Auth:ApiKeys:1:Name"] = "operator",
        ["Auth:ApiKeys:1:Key"] = Plain,
        ["Auth:ApiKeys:1:Admin"] = "true",
    };

    [Fact]
    public async Task Key_grants_what_its_configuration_says()
    {
        await using var service = await GuardedService.StartAsync(Settings);

        var who = (await service.SendAsync("/who", null, ("X-Api-Key", Hashed))).ShouldBe(HttpStatusCode.OK).Json;

        Assert.Equal("key:collector", (string?)who["subject"]);
        Assert.True((bool)who["publishRuns"]!);
        Assert.False((bool)who["subscribeRuns"]!);
        Assert.False((bool)who["admin"]!);
        Assert.True((bool)who["high"]!);
        Assert.Null(who["expires"]);
        Assert.Equal("ApiKey " + Hashed, (string?)who["forward"]);
    }

    [Fact]
    public async Task Key_is_accepted_in_the_Authorization_header_too()
    {
        await using var service = await GuardedService.StartAsync(Settings);

        (await service.SendAsync("/admin", null, ("Authorization", "ApiKey " + Plain))).ShouldBe(HttpStatusCode.OK);
        (await service.SendAsync("/admin", null, ("X-Api-Key", Plain))).ShouldBe(HttpStatusCode.OK);
        (await service.SendAsync("/admin", null, ("X-Api-Key", Hashed))).ShouldBe(HttpStatusCode.Forbidden, "forbidden");
    }

    [Theory]
    [InlineData("X-Api-Key", "key-of-nobody-at-all-0003")]
    [InlineData("X-Api-Key", "")]
    [InlineData("Authorization", "Bearer key-of-the-operator-00002")]
    [InlineData("Authorization", "Basic b3BlcmF0b3I6eA==")]
    [InlineData("Cookie", "aspirestreaming=key-of-the-operator-00002")]
    public async Task Key_that_is_unknown_or_in_the_wrong_place_is_401(string header, string value)
    {
        await using var service = await GuardedService.StartAsync(Settings);

        (await service.SendAsync("/who", null, (header, value))).ShouldBe(HttpStatusCode.Unauthorized, "unauthenticated");
    }
}
