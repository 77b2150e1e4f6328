using Microsoft.Extensions.Configuration;

var builder = DistributedApplication.CreateBuilder(args);

var redis = builder.AddRedis("redis").WithArgs("--appendonly", "yes");
var postgres = builder.AddPostgres("postgres");
if (builder.Configuration["Data:Redis"] is { Length: > 0 } redisFolder)
{
    redis.WithDataBindMount(redisFolder);
}

var database = postgres.AddDatabase("sampledb");

var first = builder.AddProject<Projects.SampleService>("first")
    .WithReference(redis).WaitFor(redis)
    .WithReference(database).WaitFor(database)
    .WithHttpHealthCheck("/health", endpointName: "http")
    .WithExternalHttpEndpoints();

// Ready long after the last news of anything's health.
first.OnResourceReady((_, _, cancellationToken) => Task.Delay(TimeSpan.FromSeconds(0.5), TimeProvider.System, cancellationToken));

builder.AddProject<Projects.SampleService>("many")
    .WithReplicas(builder.Configuration.GetValue("Replicas", 2))
    .WithReference(first)
    .WithEndpoint("http", endpoint => endpoint.Port = null)
    .WithEndpoint("grpc", endpoint => endpoint.Port = null)
    .WithEnvironment("FIRST", $"at {first.GetEndpoint("http")}")
    .WithHttpHealthCheck("/health", endpointName: "http");

builder.Build().Run();
