using AspireStreaming.SystemSupport;
using AspireStreaming.TestSupport;

namespace AspireStreaming.AppHost.Tests;

/// <summary>The whole system, started once for all tests of the collection, on ports and passwords of its own.</summary>
public sealed class SystemFixture : IAsyncLifetime
{
    /// <summary>How long anything may take to come up or come back.</summary>
    public static readonly TimeSpan Patience = RunningSystem.Patience;

    /// <summary>The services, and what they need.</summary>
    private static readonly string[] Resources = ["redis", "postgres", "publisher-api", "stream-api", "event-archiver"];

    private DistributedApplication _app = null!;

    /// <summary>The running application.</summary>
    public DistributedApplication App => _app;

    /// <summary>Its endpoints and processes.</summary>
    public RunningSystem System { get; private set; } = null!;

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.AppHost>(["--Data:Persist=false"]);
        _app = await builder.BuildAsync();
        await _app.StartAsync();
        System = new RunningSystem(_app);
        await HealthyAsync(CancellationToken.None);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        System?.Dispose();
        if (_app is not null)
        {
            await _app.DisposeAsync();
        }
    }

    /// <summary>Waits until every resource is healthy.</summary>
    public Task HealthyAsync(CancellationToken cancellationToken) => System.HealthyAsync(Resources, cancellationToken);

    /// <summary>A client of a service's proxied HTTP endpoint.</summary>
    public HttpClient Client(string resource) => System.Client(resource);

    /// <summary>The archive's connection string.</summary>
    public async Task<string> ArchiveAsync(CancellationToken cancellationToken) =>
        await _app.GetConnectionStringAsync("events", cancellationToken) ?? throw new InvalidOperationException("events has no connection string.");

    /// <summary>Waits until the archive holds every event of a stream that the hot log has.</summary>
    public async Task ArchivedAsync(string stream, CancellationToken cancellationToken)
    {
        using var client = Client("stream-api");
        await Eventually.TrueAsync(
            async () =>
            {
                var info = await StreamInfo.ReadAsync(client, stream, cancellationToken);
                return info is not null && info.ArchivedTo == info.Last;
            },
            Patience,
            $"the archive to hold all of {stream}",
            cancellationToken);
    }
}

/// <summary>Tests of the whole system share one.</summary>
[CollectionDefinition(Name)]
public sealed class SystemCollection : ICollectionFixture<SystemFixture>
{
    /// <summary>The collection's name.</summary>
    public const string Name = "whole system";
}
