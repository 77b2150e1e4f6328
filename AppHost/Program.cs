using Microsoft.Extensions.Configuration;

var builder = DistributedApplication.CreateBuilder(args);
var persist = builder.Configuration.GetValue("Data:Persist", defaultValue: true);
var streamApiReplicas = builder.Configuration.GetValue("StreamApi:Replicas", defaultValue: 2);

// The hot log holds what the archive does not have yet: nothing may be evicted, and a crash may cost a second at most.
var redis = builder.AddRedis("redis")
    .WithArgs("--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction");
var postgres = builder.AddPostgres("postgres");
if (persist)
{
    redis.WithDataVolume().WithPersistence();
    postgres.WithDataVolume();
}

var events = postgres.AddDatabase("events");

// Threads that spin while waiting for work take the cores from the other processes of a development machine.
const string NoSpinning = "DOTNET_ThreadPool_UnfairSemaphoreSpinLimit";

// Buffers of batches on their way to many clients; those beyond what the pool keeps would be garbage each time.
const string PooledBuffers = "DOTNET_SYSTEM_BUFFERS_SHAREDARRAYPOOL_MAXARRAYSPERPARTITION";

var publisherApi = builder.AddProject<Projects.PublisherApi>("publisher-api")
    .WithReference(redis).WaitFor(redis)
    .WithReference(events).WaitFor(events)
    .WithEnvironment(NoSpinning, "0")
    .WithHttpHealthCheck("/health", endpointName: "http")
    .WithExternalHttpEndpoints();

var eventArchiver = builder.AddProject<Projects.EventArchiver>("event-archiver")
    .WithReference(redis).WaitFor(redis)
    .WithReference(events).WaitFor(events)
    .WithHttpHealthCheck("/health", endpointName: "http");

// It serves readers without the Publisher API, so it does not wait for it.
var streamApi = builder.AddProject<Projects.StreamApi>("stream-api")
    .WithReplicas(streamApiReplicas)
    .WithReference(redis).WaitFor(redis)
    .WithReference(events).WaitFor(events)
    .WithReference(publisherApi)
    .WithEnvironment(NoSpinning, "0")
    .WithEnvironment(PooledBuffers, "128")
    .WithHttpHealthCheck("/health", endpointName: "http")
    .WithExternalHttpEndpoints();

// The page that the Stream API serves publishes from the browser: the Publisher API must know that origin.
publisherApi.WithReference(streamApi);

// Who may do what in a development run, for instance from this project's user secrets; a deployment tells each service by itself.
if (builder.ExecutionContext.IsRunMode)
{
    foreach (var (key, value) in builder.Configuration.GetSection("Auth").AsEnumerable().Where(setting => setting.Value is not null))
    {
        var name = key.Replace(":", "__", StringComparison.Ordinal);
        publisherApi.WithEnvironment(name, value);
        eventArchiver.WithEnvironment(name, value);
        streamApi.WithEnvironment(name, value);
    }
}

builder.Build().Run();
