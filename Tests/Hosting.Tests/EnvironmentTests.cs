using System.Net.Http.Json;

namespace AspireStreaming.Hosting.Tests;

public sealed class EnvironmentTests
{
    [Fact]
    public async Task Project_gets_the_variables_of_its_references_endpoints_and_profile()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        await using var app = await TestApplication.StartAsync(
            builder =>
            {
                var external = builder.AddConnectionString("external");
                var upstream = builder.AddProject<Projects.SampleService>("up-stream").WithHttpHealthCheck("/health", endpointName: "http");
                builder.AddProject<Projects.SampleService>("consumer")
                    .WithReference(external)
                    .WithReference(external, "other-name")
                    .WithReference(upstream)
                    .WithEnvironment("COMBINED", $"<{upstream.GetEndpoint("http").Property(EndpointProperty.HostAndPort)}>")
                    .WithEnvironment(context => context.EnvironmentVariables["FROM_CALLBACK"] = context.Resource.Name)
                    .WithEnvironment("FROM_PROFILE", "overridden")
                    .WithArgs("--one", "two words")
                    .WithHttpHealthCheck("/health", endpointName: "http");
            },
            "ConnectionStrings:external=host:1");
        var consumer = await app.HealthyAsync("consumer");
        await app.HealthyAsync("up-stream");
        using var client = app.App.CreateHttpClient("consumer", "http");

        var variables = (await client.GetFromJsonAsync<Dictionary<string, string>>("/environment", cancellationToken))!;
        var args = (await client.GetFromJsonAsync<string[]>("/args", cancellationToken))!;

        var upstreamUrl = app.App.GetEndpoint("up-stream", "http").ToString().TrimEnd('/');
        var upstreamGrpc = app.App.GetEndpoint("up-stream", "grpc").ToString().TrimEnd('/');
        var expected = new Dictionary<string, string>
        {
            ["ConnectionStrings__external"] = "host:1",
            ["ConnectionStrings__other-name"] = "host:1",
            ["services__up-stream__http__0"] = upstreamUrl,
            ["services__up-stream__grpc__0"] = upstreamGrpc,
            ["UP_STREAM_HTTP"] = upstreamUrl,
            ["UP_STREAM_GRPC"] = upstreamGrpc,
            ["COMBINED"] = $"<{new Uri(upstreamUrl).Authority}>",
            ["FROM_CALLBACK"] = "consumer",
            ["FROM_PROFILE"] = "overridden",
            ["ASPNETCORE_ENVIRONMENT"] = "Development",
            ["DOTNET_LAUNCH_PROFILE"] = "SampleService",
            ["Kestrel__Endpoints__http__Url"] = app.App.GetEndpoint("consumer", "http").ToString().TrimEnd('/'),
            ["Kestrel__Endpoints__grpc__Url"] = app.App.GetEndpoint("consumer", "grpc").ToString().TrimEnd('/'),
            ["OTEL_SERVICE_NAME"] = "consumer",
            ["OTEL_RESOURCE_ATTRIBUTES"] = $"service.instance.id={consumer.ResourceId["consumer-".Length..]}",
            ["OTEL_DOTNET_EXPERIMENTAL_OTLP_RETRY"] = "in_memory",
            ["DOTNET_SYSTEM_CONSOLE_ALLOW_ANSI_COLOR_REDIRECTION"] = "true",
            ["LOGGING__CONSOLE__FORMATTERNAME"] = "simple",
        };
        Assert.All(expected, pair => Assert.Equal(pair.Value, variables.GetValueOrDefault(pair.Key)));
        Assert.DoesNotContain("ASPNETCORE_URLS", variables.Keys);
        Assert.DoesNotContain("OTEL_EXPORTER_OTLP_ENDPOINT", variables.Keys);
        Assert.Equal(["--one", "two words"], args);

        var told = consumer.Snapshot.EnvironmentVariables.Where(variable => variable.IsFromSpec).ToDictionary(v => v.Name, v => v.Value);
        Assert.All(expected, pair => Assert.Equal(pair.Value, told.GetValueOrDefault(pair.Key)));
        Assert.Equal("http2", app.App.Services.GetEndpointTransport("consumer", "grpc"));
    }
}
