using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Grpc.Net.Client;
using Microsoft.Extensions.DependencyInjection;

namespace AspireStreaming.SystemSupport;

/// <summary>A started application under test: its endpoints, and its processes to stop, kill and start again.</summary>
public sealed class RunningSystem(DistributedApplication application) : IDisposable
{
    /// <summary>How long anything may take to come up or come back.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    private readonly ConcurrentDictionary<string, GrpcChannel> _channels = new();
    private readonly ConcurrentDictionary<string, IReadOnlyList<string>> _instances = new();

    /// <summary>The application.</summary>
    public DistributedApplication App => application;

    private DistributedApplicationModel Model => application.Services.GetRequiredService<DistributedApplicationModel>();

    public void Dispose()
    {
        foreach (var channel in _channels.Values)
        {
            channel.Dispose();
        }
    }

    /// <summary>A client of a service's HTTP endpoint, with connections of its own.</summary>
    public HttpClient Client(string resource) => new(new SocketsHttpHandler { PooledConnectionIdleTimeout = TimeSpan.FromSeconds(30) })
    {
        BaseAddress = application.GetEndpoint(resource, "http"),
        Timeout = Timeout.InfiniteTimeSpan,
    };

    /// <summary>The channel to a service's gRPC endpoint that all tests share.</summary>
    public GrpcChannel Channel(string resource) => _channels.GetOrAdd(resource, _ => NewChannel(resource));

    /// <summary>A channel of its own, with a connection of its own.</summary>
    public GrpcChannel NewChannel(string resource) => GrpcChannel.ForAddress(application.GetEndpoint(resource, "grpc"), new GrpcChannelOptions
    {
        HttpHandler = new SocketsHttpHandler
        {
            EnableMultipleHttp2Connections = true,
            KeepAlivePingDelay = TimeSpan.FromSeconds(5),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(5),
        },
        DisposeHttpClient = true,
    });

    /// <summary>Waits until these resources are healthy.</summary>
    public async Task HealthyAsync(IEnumerable<string> resources, CancellationToken cancellationToken)
    {
        foreach (var name in resources)
        {
            await application.ResourceNotifications.WaitForResourceHealthyAsync(name, cancellationToken).WaitAsync(Patience, cancellationToken);
        }
    }

    /// <summary>Runs a command on every instance of a resource.</summary>
    public async Task CommandAsync(string resource, string command, CancellationToken cancellationToken)
    {
        var result = await application.ResourceCommands.ExecuteCommandAsync(Find(resource), command, cancellationToken);
        if (!result.Success)
        {
            throw new InvalidOperationException($"{command} {resource}: {result.Message}");
        }
    }

    /// <summary>Runs a command on one instance.</summary>
    public async Task CommandInstanceAsync(string instance, string command, CancellationToken cancellationToken)
    {
        var result = await application.ResourceCommands.ExecuteCommandAsync(instance, command, cancellationToken);
        if (!result.Success)
        {
            throw new InvalidOperationException($"{command} {instance}: {result.Message}");
        }
    }

    /// <summary>The processes of a resource's instances, by their ids in the model; waits until all run.</summary>
    public async Task<IReadOnlyDictionary<string, int>> ProcessesAsync(string resource, CancellationToken cancellationToken)
    {
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        enough.CancelAfter(Patience);
        var found = new Dictionary<string, int>();
        var replicas = Find(resource).GetReplicaCount();
        await foreach (var change in application.ResourceNotifications.WatchAsync(enough.Token))
        {
            if (change.Resource.Name != resource)
            {
                continue;
            }

            if (change.Snapshot.State?.Text == KnownResourceStates.Running
                && change.Snapshot.Properties.FirstOrDefault(property => property.Name == "executable.pid")?.Value is { } id)
            {
                found[change.ResourceId] = Convert.ToInt32(id, CultureInfo.InvariantCulture);
                if (found.Count == replicas)
                {
                    break;
                }
            }
            else
            {
                found.Remove(change.ResourceId);
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

    /// <summary>How an instance's last process ended; null while it runs.</summary>
    public int? ExitCode(string instance) =>
        application.ResourceNotifications.TryGetCurrentState(instance, out var state) ? state.Snapshot.ExitCode : null;

    /// <summary>Starts an instance that has ended.</summary>
    public async Task StartAgainAsync(string resource, string instance, CancellationToken cancellationToken)
    {
        await application.ResourceNotifications.WaitForResourceAsync(
                resource,
                change => change.ResourceId == instance && KnownResourceStates.TerminalStates.Contains(change.Snapshot.State?.Text),
                cancellationToken)
            .WaitAsync(Patience, cancellationToken);
        await CommandInstanceAsync(instance, KnownResourceCommands.StartCommand, cancellationToken);
    }

    /// <summary>Waits until one instance is healthy.</summary>
    public Task HealthyInstanceAsync(string resource, string instance, CancellationToken cancellationToken) =>
        application.ResourceNotifications.WaitForResourceAsync(
                resource,
                change => change.ResourceId == instance
                    && change.Snapshot.State?.Text == KnownResourceStates.Running
                    && change.Snapshot.HealthStatus == Microsoft.Extensions.Diagnostics.HealthChecks.HealthStatus.Healthy,
                cancellationToken)
            .WaitAsync(Patience, cancellationToken);

    /// <summary>Starts the instances of a resource that do not run.</summary>
    public async Task StartMissingAsync(string resource, CancellationToken cancellationToken)
    {
        foreach (var instance in await InstancesAsync(resource, cancellationToken))
        {
            if (application.ResourceNotifications.TryGetCurrentState(instance, out var state)
                && KnownResourceStates.TerminalStates.Contains(state.Snapshot.State?.Text))
            {
                await CommandInstanceAsync(instance, KnownResourceCommands.StartCommand, cancellationToken);
            }
        }
    }

    /// <summary>What all instances of a resource have written to their consoles.</summary>
    public async Task<string> LogAsync(string resource, CancellationToken cancellationToken)
    {
        var loggers = application.Services.GetRequiredService<ResourceLoggerService>();
        var text = new StringBuilder();
        foreach (var instance in await InstancesAsync(resource, cancellationToken))
        {
            await foreach (var lines in loggers.GetAllAsync(instance))
            {
                foreach (var line in lines)
                {
                    text.AppendLine(line.Content);
                }
            }
        }

        return text.ToString();
    }

    /// <summary>The ids of a resource's instances, in a fixed order.</summary>
    public async Task<IReadOnlyList<string>> InstancesAsync(string resource, CancellationToken cancellationToken)
    {
        if (_instances.TryGetValue(resource, out var known))
        {
            return known;
        }

        using var enough = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        enough.CancelAfter(Patience);
        var replicas = Find(resource).GetReplicaCount();
        var found = new SortedSet<string>(StringComparer.Ordinal);
        await foreach (var change in application.ResourceNotifications.WatchAsync(enough.Token))
        {
            if (change.Resource.Name == resource && found.Add(change.ResourceId) && found.Count == replicas)
            {
                break;
            }
        }

        return _instances.GetOrAdd(resource, _ => [.. found]);
    }

    private IResource Find(string resource) => Model.Resources.Single(candidate => candidate.Name == resource);
}
