using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;

namespace AspireStreaming.ServiceDefaults.Tests.Problems;

public sealed class ProblemTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("Production", "application/json")]
    [InlineData("Production", "text/event-stream")]
    [InlineData("Development", "*/*")]
    [InlineData("Development", "text/html")]
    public async Task Unhandled_exception_is_a_500_problem_without_internals(string environment, string accept)
    {
        await using var service = await TestService.StartAsync(
            map: app => app.MapGet("/boom", string () => throw new InvalidOperationException("secret")), environment: environment);
        using var request = new HttpRequestMessage(HttpMethod.Get, "/boom");
        request.Headers.Accept.ParseAdd(accept);

        using var response = await service.Client.SendAsync(request, Cancellation);
        var body = await response.Content.ReadAsStringAsync(Cancellation);

        Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        Assert.DoesNotContain("secret", body, StringComparison.Ordinal);
        Assert.DoesNotContain("InvalidOperationException", body, StringComparison.Ordinal);
        Assert.Equal(500, (int)JsonNode.Parse(body)!["status"]!);
    }

    [Theory]
    [InlineData("Development", "GET", "/nowhere", "application/json", HttpStatusCode.NotFound)]
    [InlineData("Development", "PUT", "/things", "application/json", HttpStatusCode.MethodNotAllowed)]
    [InlineData("Development", "POST", "/things", "text/plain", HttpStatusCode.UnsupportedMediaType)]
    [InlineData("Development", "POST", "/things", "application/json", HttpStatusCode.BadRequest)]
    [InlineData("Production", "GET", "/nowhere", "application/json", HttpStatusCode.NotFound)]
    [InlineData("Production", "POST", "/things", "application/json", HttpStatusCode.BadRequest)]
    public async Task Fault_of_the_client_is_a_problem(
        string environment, string method, string path, string contentType, HttpStatusCode expected)
    {
        await using var service = await TestService.StartAsync(
            map: app => app.MapPost("/things", (Thing thing) => Results.Ok(thing)), environment: environment);
        using var request = new HttpRequestMessage(new HttpMethod(method), path)
        {
            Content = method == "GET" ? null : new StringContent("{nonsense", Encoding.UTF8, contentType),
        };

        using var response = await service.Client.SendAsync(request, Cancellation);

        Assert.Equal(expected, response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        var problem = JsonNode.Parse(await response.Content.ReadAsStringAsync(Cancellation))!;
        Assert.Equal((int)expected, (int)problem["status"]!);
        Assert.NotNull(problem["type"]);
    }

    [Theory]
    [InlineData("/bare", null)]
    [InlineData("/plain", "application/problem+json")]
    [InlineData("/boom", "application/problem+json")]
    public async Task Endpoint_that_answers_its_faults_itself_is_left_alone_but_for_exceptions(string path, string? mediaType)
    {
        await using var service = await TestService.StartAsync(map: app =>
        {
            app.MapGet("/bare", () => Results.StatusCode(StatusCodes.Status410Gone)).WithMetadata(new SkipStatusCodePagesAttribute());
            app.MapGet("/plain", () => Results.StatusCode(StatusCodes.Status410Gone));
            app.MapGet("/boom", IResult () => throw new InvalidOperationException("secret")).WithMetadata(new SkipStatusCodePagesAttribute());
        });

        using var response = await service.GetAsync(path);

        Assert.Equal(path == "/boom" ? HttpStatusCode.InternalServerError : HttpStatusCode.Gone, response.StatusCode);
        Assert.Equal(mediaType, response.Content.Headers.ContentType?.MediaType);
    }

    [Fact]
    public async Task OpenApi_document_describes_the_service_and_the_defaults()
    {
        await using var service = await TestService.StartAsync(map: app => app.MapGet("/things/{id}", (string id) => id));

        var document = await service.GetJsonAsync("/openapi/v1.json");

        Assert.StartsWith("3.", (string?)document["openapi"]);
        Assert.Equal(
            ["/alive", "/health", "/metrics", "/openapi/v1.json", "/things/{id}"],
            document["paths"]!.AsObject().Select(path => path.Key).Order(StringComparer.Ordinal));
    }

    private sealed record Thing(string Name);
}
