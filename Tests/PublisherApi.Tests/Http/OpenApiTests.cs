using System.Text.Json.Nodes;
using AspireStreaming.PublisherApi.Http;
using AspireStreaming.TestSupport;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace AspireStreaming.PublisherApi.Tests.Http;

public sealed class OpenApiTests(Servers servers)
{
    private readonly PublisherHost _publisher = servers.Publisher;

    [Fact]
    public async Task Document_has_exactly_the_operations_of_the_contract()
    {
        string[] operations =
        [
            "DELETE /streams/{stream}", "GET /alive", "GET /health", "GET /metrics", "GET /openapi/v1.json", "POST /streams/{stream}/events",
        ];

        Assert.Equal(operations, OpenApiFacts.OperationsOf(await ReadAsync()));
        Assert.Equal(operations, RoutesOf(_publisher.Services.GetRequiredService<EndpointDataSource>()));
    }

    [Fact]
    public async Task Document_says_of_every_operation_what_it_takes_and_answers_and_who_may_call_it() =>
        OpenApiFacts.AssertComplete(await ReadAsync());

    [Fact]
    public async Task Document_names_every_type_of_problem()
    {
        var text = (await ReadAsync()).ToJsonString();
        foreach (var kind in Enum.GetValues<ProblemKind>())
        {
            Assert.Contains(Problems.Uri(kind), text, StringComparison.Ordinal);
        }
    }

    private static IEnumerable<string> RoutesOf(EndpointDataSource endpoints) => endpoints.Endpoints.OfType<RouteEndpoint>()
        .Where(endpoint => !endpoint.Metadata.Any(item => item.GetType().FullName!.StartsWith("Grpc.", StringComparison.Ordinal)))
        .SelectMany(endpoint => endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? [], (endpoint, method) => (endpoint, method))
        .Where(route => !HttpMethods.IsHead(route.method))
        .Select(route => $"{route.method} {route.endpoint.RoutePattern.RawText!.Replace("{documentName}", "v1", StringComparison.Ordinal)}")
        .Where(route => !route.Contains("{unimplemented", StringComparison.Ordinal))
        .Distinct()
        .Order(StringComparer.Ordinal);

    private async Task<JsonNode> ReadAsync() => JsonNode.Parse(
        await _publisher.Http.GetStringAsync(new Uri("/openapi/v1.json", UriKind.Relative), TestContext.Current.CancellationToken))!;
}
