using System.Text.Json.Nodes;
using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.TestSupport;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace AspireStreaming.StreamApi.Tests;

public sealed class OpenApiTests(SharedHost shared)
{
    [Fact]
    public async Task Document_has_exactly_the_operations_of_the_contract()
    {
        var document = await ReadAsync();

        Assert.Equal(
            [
                "DELETE /connections/{id}",
                "GET /alive",
                "GET /connections",
                "GET /events",
                "GET /health",
                "GET /metrics",
                "GET /openapi/v1.json",
                "GET /stats",
                "GET /streams",
                "GET /streams/{stream}",
                "GET /streams/{stream}/audit",
                "GET /streams/{stream}/events",
                "GET /ws",
            ],
            OpenApiFacts.OperationsOf(document));
    }

    [Fact]
    public async Task Document_has_every_route_that_is_mapped()
    {
        var routes = RoutesOf(shared.Host.Get<EndpointDataSource>());

        // The page's own address book is none of the API.
        Assert.Equal(routes.Where(route => route != "GET /config.json"), OpenApiFacts.OperationsOf(await ReadAsync()));
    }

    [Fact]
    public async Task Document_says_of_every_operation_what_it_takes_and_answers_and_who_may_call_it() =>
        OpenApiFacts.AssertComplete(await ReadAsync());

    [Fact]
    public async Task Document_names_the_parameters_of_the_contract()
    {
        var operation = (await ReadAsync())["paths"]!["/streams/{stream}/events"]!["get"]!;

        Assert.Equal(
            [
                "Accept", "Last-Event-ID", "from", "lag", "lastEventId", "limit", "named", "order", "policy", "stream", "tier", "types",
                "wait",
            ],
            operation["parameters"]!.AsArray().Select(parameter => (string)parameter!["name"]!).Order(StringComparer.Ordinal));
        Assert.Equal(["200", "204", "400", "401", "403", "406", "429", "503"], operation["responses"]!.AsObject().Select(answer => answer.Key));
        Assert.NotNull(operation["responses"]!["200"]!["content"]!["application/json"]!["schema"]);
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
        await shared.Host.Client.GetStringAsync(new Uri("/openapi/v1.json", UriKind.Relative), TestContext.Current.CancellationToken))!;
}
