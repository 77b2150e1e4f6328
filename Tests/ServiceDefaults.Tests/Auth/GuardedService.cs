using System.Net;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using AspireStreaming.ServiceDefaults.Auth;
using AspireStreaming.TestSupport;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;

namespace AspireStreaming.ServiceDefaults.Tests.Auth;

/// <summary>A service with routes for each kind of right, behind authentication.</summary>
internal static class GuardedService
{
    public static readonly Dictionary<string, string?> WithSecret = new() { ["Auth:Jwt:Secret"] = TokenIssuer.Secret };

    public static Task<TestService> StartAsync(
        Dictionary<string, string?> settings, Action<WebApplicationBuilder>? configure = null, string environment = "Production") =>
        TestService.StartAsync(configure, Map, settings, environment);

    public static async Task<Reply> SendAsync(this TestService service, string path, string? token = null, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        if (token is not null)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }

        return await service.SendAsync(request, headers);
    }

    public static async Task<Reply> SendAsync(this TestService service, HttpRequestMessage request, params (string Name, string Value)[] headers)
    {
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        using var response = await service.Client.SendAsync(request, TestContext.Current.CancellationToken);
        var body = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        return new Reply(
            response.StatusCode,
            response.Content.Headers.ContentType?.MediaType,
            string.Join(", ", response.Headers.WwwAuthenticate),
            response.Headers.RetryAfter?.ToString(),
            body);
    }

    private static void Map(WebApplication app)
    {
        app.MapGet("/who", (HttpContext context) => Describe(context.GetStreamAccess()));
        app.MapGet("/open", () => "open").AllowAnonymous();
        app.MapGet("/read/{stream}", (string stream) => stream).RequireSubscribe();
        app.MapPost("/write/{stream}", (string stream) => stream).RequirePublish();
        app.MapGet("/admin", () => "admin").RequireAdmin();
        app.MapGet("/query", (HttpContext context) => context.Request.QueryString.Value);
    }

    private static JsonObject Describe(StreamAccess access) => new()
    {
        ["subject"] = access.Subject,
        ["admin"] = access.IsAdmin,
        ["high"] = access.HasHighPriority,
        ["publishRuns"] = access.CanPublish("runs:1"),
        ["subscribeRuns"] = access.CanSubscribe("runs:1"),
        ["subscribeJobs"] = access.CanSubscribe("jobs:1"),
        ["expires"] = access.ExpiresAt?.ToUnixTimeSeconds(),
        ["forward"] = access.Authorization,
    };
}

internal sealed record Reply(HttpStatusCode Status, string? MediaType, string Challenge, string? RetryAfter, string Body)
{
    public JsonNode Json => JsonNode.Parse(Body)!;

    public Reply ShouldBe(HttpStatusCode status, string? problem = null)
    {
        Assert.True(Status == status, $"Expected {status}, was {Status}: {Body}");
        if (problem is not null)
        {
            Assert.Equal("application/problem+json", MediaType);
            Assert.Equal("urn:aspirestreaming:problem:" + problem, (string?)Json["type"]);
            Assert.Equal((int)status, (int)Json["status"]!);
            Assert.NotEmpty((string)Json["title"]!);
            Assert.NotEmpty((string)Json["detail"]!);
        }

        return this;
    }
}
