using System.Diagnostics;
using System.Globalization;
using AspireStreaming.TestSupport;
using Microsoft.Extensions.DependencyInjection;

namespace AspireStreaming.AppHost.Tests;

/// <summary>The whole system, started once for all tests of the collection, on ports and passwords of its own.</summary>
public sealed class SystemFixture : IAsyncLifetime
{
    /// <summary>How long anything may take to come up or come back.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    private DistributedApplication _app = null!;

    /// <summary>The running application.</summary>
    public DistributedApplication App => _app;

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.AppHost>(["--Data:Persist=false"]);
        builder.Services.ConfigureHttpClientDefaults(http => http.ConfigureHttpClient(client => client.Timeout = Timeout.InfiniteTimeSpan));
        _app = await builder.BuildAsync();
        await _app.StartAsync();
        await HealthyAsync(CancellationToken.None);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_app is not null)
        {
            await _app.DisposeAsync();
        }
    }

    /// <summary>Waits until every resource is healthy.</summary>
    public async Task HealthyAsync(CancellationToken cancellationToken)
    {
        foreach (var name in (string[])["redis", "postgres", "publisher-api", "stream-api", "event-archiver"])
        {
            await _app.ResourceNotifications.WaitForResourceHealthyAsync(name, cancellationToken).WaitAsync(Patience, cancellationToken);
        }
    }

    /// <summary>A client of a service's proxied HTTP endpoint.</summary>
    public HttpClient Client(string resource) => _app.CreateHttpClient(resource, "http");

    /// <summary>The archive's connection string.</summary>
    public async Task<string> ArchiveAsync(CancellationToken cancellationToken) =>
        await _app.GetConnectionStringAsync("events", cancellationToken) ?? throw new InvalidOperationException("events has no connection string.");

    /// <summary>Runs a command on every instance of a resource, and waits until all is healthy again.</summary>
    public async Task CommandAsync(string resource, string command, CancellationToken cancellationToken)
    {
        var model = _app.Services.GetRequiredService<DistributedApplicationModel>();
        var result = await _app.ResourceCommands.ExecuteCommandAsync(model.Resources.Single(candidate => candidate.Name == resource), command, cancellationToken);
        Assert.True(result.Success, $"{command} {resource}: {result.Message}");
    }

    /// <summary>The processes of a resource's instances, by their ids in the model.</summary>
    public async Task<IReadOnlyDictionary<string, int>> ProcessesAsync(string resource, CancellationToken cancellationToken)
    {
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var found = new Dictionary<string, int>();
        var replicas = _app.Services.GetRequiredService<DistributedApplicationModel>().Resources.Single(candidate => candidate.Name == resource).GetReplicaCount();
        await foreach (var change in _app.ResourceNotifications.WatchAsync(enough.Token))
        {
            if (change.Resource.Name == resource
                && change.Snapshot.State?.Text == KnownResourceStates.Running
                && change.Snapshot.Properties.FirstOrDefault(property => property.Name == "executable.pid")?.Value is { } id)
            {
                found[change.ResourceId] = Convert.ToInt32(id, CultureInfo.InvariantCulture);
                if (found.Count == replicas)
                {
                    break;
                }
            }
        }

        return found;
    }

    /// <summary>Ends an instance's processes as a power cut would; officially a project's process is a launcher with the service as its child.</summary>
    public static void Kill(int processId)
    {
        using var process = Process.GetProcessById(processId);
        process.Kill(entireProcessTree: true);
    }

    /// <summary>Starts the instances that a test killed.</summary>
    public async Task StartAgainAsync(string resource, IEnumerable<string> instances, CancellationToken cancellationToken)
    {
        foreach (var instance in instances)
        {
            await _app.ResourceNotifications.WaitForResourceAsync(
                    resource,
                    change => change.ResourceId == instance && KnownResourceStates.TerminalStates.Contains(change.Snapshot.State?.Text),
                    cancellationToken)
                .WaitAsync(Patience, cancellationToken);
            var result = await _app.ResourceCommands.ExecuteCommandAsync(instance, KnownResourceCommands.StartCommand, cancellationToken);
            Assert.True(result.Success, $"start {instance}: {result.Message}");
        }
    }

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
