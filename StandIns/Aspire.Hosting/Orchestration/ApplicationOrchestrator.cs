using System.Collections.Immutable;
using System.Security.Cryptography;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.Orchestration;

/// <summary>
/// Runs the model: (1) instances and ports for every resource, (2) its first snapshot, (3) the events that tell of its addresses,
/// (4) the processes, each as soon as what it waits for is there. Stopping goes the other way: programs before servers.
/// </summary>
internal sealed class ApplicationOrchestrator(
    DistributedApplicationModel model,
    DistributedApplicationExecutionContext executionContext,
    ResourceNotificationService notifications,
    ResourceLoggerService loggers,
    ResourceOutput output,
    IDistributedApplicationEventing eventing,
    LaunchPlanner planner,
    ServerDataFolders dataFolders,
    EndpointRouter router,
    HealthMonitor healthMonitor,
    IConfiguration configuration,
    IHostEnvironment environment,
    IServiceProvider services,
    ILogger<DistributedApplication> logger) : IHostedService, IAsyncDisposable
{
    private readonly Dictionary<string, InstanceController> _controllers = new(StringComparer.OrdinalIgnoreCase);
    private readonly CancellationTokenSource _stopping = new();
    private Task _starts = Task.CompletedTask;
    private Task _children = Task.CompletedTask;
    private int _isStopped;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var resources = model.Resources.ToArray();
        foreach (var resource in resources.Where(IsProcess))
        {
            Prepare(resource);
        }

        output.SetInstances([.. _controllers.Values.Select(controller => controller.Instance)]);
        foreach (var resource in resources)
        {
            await PublishFirstSnapshotAsync(resource, cancellationToken).ConfigureAwait(false);
        }

        router.Start();
        healthMonitor.Start();
        _children = FollowParentsAsync(resources.OfType<IResourceWithParent>().ToLookup(child => child.Parent), _stopping.Token);

        foreach (var resource in resources)
        {
            if (resource is IResourceWithEndpoints)
            {
                await eventing.PublishAsync(new ResourceEndpointsAllocatedEvent(resource, services), cancellationToken).ConfigureAwait(false);
            }

            if (resource is IResourceWithConnectionString and not IResourceWithoutLifetime)
            {
                await eventing.PublishAsync(new ConnectionStringAvailableEvent(resource, services), cancellationToken).ConfigureAwait(false);
            }
        }

        _starts = StartProcessesAsync();
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _isStopped, 1) == 1)
        {
            return;
        }

        await _stopping.CancelAsync().ConfigureAwait(false);
        await healthMonitor.StopAsync().ConfigureAwait(false);

        // Services first: they still need their databases to finish what they do.
        foreach (var phase in _controllers.Values.ToLookup(controller => controller.IsServer).OrderBy(phase => phase.Key))
        {
            await Task.WhenAll(phase.Select(controller => controller.StopAsync(CancellationToken.None))).ConfigureAwait(false);
        }

        await _starts.ConfigureAwait(false);
        await _children.ConfigureAwait(false);
        await router.DisposeAsync().ConfigureAwait(false);
        foreach (var controller in _controllers.Values)
        {
            await controller.DisposeAsync().ConfigureAwait(false);
        }

        dataFolders.DeleteTemporary();
    }

    public async ValueTask DisposeAsync() => await StopAsync(CancellationToken.None).ConfigureAwait(false);

    private static bool IsProcess(IResource resource) => resource is ProjectResource or ExecutableResource or ContainerResource;

    private static string TypeOf(IResource resource) => resource switch
    {
        ProjectResource => "Project",
        ExecutableResource => "Executable",
        ContainerResource => "Container",
        ParameterResource => "Parameter",
        ConnectionStringResource => "ConnectionString",
        _ => resource.GetType().Name,
    };

    private void Prepare(IResource resource)
    {
        var count = resource is ProjectResource ? resource.GetReplicaCount() : 1;
        var randomizePorts = configuration.GetValue<bool>("DcpPublisher:RandomizePorts");
        var (targetPorts, shared) = EndpointAllocation.Allocate(resource, count, randomizePorts);
        var instances = targetPorts.Select(ports =>
        {
            var suffix = RandomNumberGenerator.GetString("abcdefghijkmnpqrstuvwxyz", 8);
            var id = $"{resource.Name}-{suffix}";
            return new ResourceInstance
            {
                Resource = resource,
                Id = id,
                Suffix = suffix,
                DisplayName = count == 1 ? resource.Name : id,
                TargetPorts = ports,
                Configuration = configuration,
                HostEnvironment = environment,
            };
        }).ToArray();
        resource.Annotations.Add(new InstancesAnnotation(instances));
        foreach (var instance in instances)
        {
            _controllers[instance.Id] = new InstanceController(instance, planner, router, notifications, loggers, output, eventing, services);
        }

        router.Add(resource, instances, shared);
        LifecycleCommands.AddTo(resource, id => _controllers[id]);
    }

    private async Task PublishFirstSnapshotAsync(IResource resource, CancellationToken cancellationToken)
    {
        var urls = await UrlsAsync(resource, cancellationToken).ConfigureAwait(false);
        var volumes = resource.Annotations.OfType<ContainerMountAnnotation>()
            .Select(mount => new VolumeSnapshot(mount.Source, mount.Target, mount.Type == ContainerMountType.Volume ? "volume" : "bind", mount.IsReadOnly))
            .ToImmutableArray();
        var relationships = resource.Annotations.OfType<ResourceRelationshipAnnotation>()
            .Select(relationship => new RelationshipSnapshot(relationship.Resource.Name, relationship.Type))
            .Concat(resource is IResourceWithParent { Parent: { } parent } ? [new RelationshipSnapshot(parent.Name, "Parent")] : [])
            .Distinct()
            .ToImmutableArray();
        var instances = resource.TryGetLastAnnotation<InstancesAnnotation>(out var annotation) ? annotation.Instances : [];
        foreach (var id in resource.GetResolvedResourceNames())
        {
            var ownUrls = instances.Count > 1 ? OwnUrls(resource, instances.Single(instance => instance.Id == id)) : [];
            await notifications.PublishUpdateAsync(resource, id, snapshot => snapshot with
            {
                ResourceType = TypeOf(resource),
                CreationTimeStamp = TimeProvider.System.GetUtcNow().UtcDateTime,
                State = snapshot.State ?? (resource.HasAnnotationOfType<ExplicitStartupAnnotation>() ? KnownResourceStates.NotStarted : null),
                HealthReports = InstanceController.InitialHealthReports(resource),
                Urls = [.. urls, .. ownUrls],
                Volumes = volumes,
                Relationships = relationships,
            }).ConfigureAwait(false);
        }

        if (resource is ParameterResource parameter)
        {
            await PublishParameterAsync(parameter, cancellationToken).ConfigureAwait(false);
        }
        else if (resource is ConnectionStringResource)
        {
            await notifications.PublishUpdateAsync(resource, snapshot => snapshot with { State = KnownResourceStates.Running }).ConfigureAwait(false);
        }
    }

    private async Task PublishParameterAsync(ParameterResource parameter, CancellationToken cancellationToken)
    {
        try
        {
            var value = await parameter.GetValueAsync(cancellationToken).ConfigureAwait(false);
            await notifications.PublishUpdateAsync(parameter, snapshot =>
                snapshot.WithProperty("Value", value, parameter.Secret) with { State = KnownResourceStates.Running }).ConfigureAwait(false);
        }
        catch (MissingParameterValueException exception)
        {
            loggers.GetLogger(parameter).LogError("{Reason}", exception.Message);
            await notifications.PublishUpdateAsync(parameter, snapshot => snapshot with
            {
                State = new(KnownResourceStates.ValueMissing, KnownResourceStateStyles.Warn),
            }).ConfigureAwait(false);
        }
    }

    private async Task<ImmutableArray<UrlSnapshot>> UrlsAsync(IResource resource, CancellationToken cancellationToken)
    {
        var urls = new List<ResourceUrlAnnotation>();
        if (resource is IResourceWithEndpoints withEndpoints)
        {
            urls.AddRange(withEndpoints.GetEndpoints().Where(endpoint => endpoint.IsAllocated)
                .Select(endpoint => new ResourceUrlAnnotation { Url = endpoint.Url, Endpoint = endpoint }));
        }

        urls.AddRange(resource.Annotations.OfType<ResourceUrlAnnotation>());
        var context = new ResourceUrlsCallbackContext(executionContext, resource, urls, cancellationToken) { Logger = loggers.GetLogger(resource) };
        foreach (var annotation in resource.Annotations.OfType<ResourceUrlsCallbackAnnotation>())
        {
            await annotation.Callback(context).ConfigureAwait(false);
        }

        return [.. urls.Select(url => new UrlSnapshot(url.Endpoint?.EndpointName, Absolute(url), url.DisplayLocation == UrlDisplayLocation.DetailsOnly)
        {
            IsInactive = url.Endpoint is not null,
            DisplayProperties = new(url.DisplayText ?? "", url.DisplayOrder ?? 0),
        })];

        static string Absolute(ResourceUrlAnnotation url) =>
            url.Endpoint is not null && url.Url.StartsWith('/') ? url.Endpoint.Url + url.Url : url.Url;
    }

    /// <summary>The address of one replica itself, beside the public one that all share.</summary>
    private static IEnumerable<UrlSnapshot> OwnUrls(IResource resource, ResourceInstance instance) =>
        resource.Annotations.OfType<EndpointAnnotation>().Select(endpoint => new UrlSnapshot(
            endpoint.Name, $"{endpoint.UriScheme}://localhost:{instance.TargetPorts[endpoint.Name]}", IsInternal: true)
        {
            IsInactive = true,
            DisplayProperties = new($"{endpoint.Name} (this replica)"),
        });

    private async Task StartProcessesAsync()
    {
        var starts = _controllers.Values
            .Where(controller => !controller.Instance.Resource.HasAnnotationOfType<ExplicitStartupAnnotation>())
            .GroupBy(controller => controller.Instance.Resource)
            .Select(StartTogetherAsync)
            .ToArray();
        await Task.WhenAll(starts).ConfigureAwait(false);
        if (_stopping.IsCancellationRequested)
        {
            return;
        }

        try
        {
            await eventing.PublishAsync(new AfterResourcesCreatedEvent(services, model), _stopping.Token).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            logger.LogError(exception, "A handler of {Event} failed.", nameof(AfterResourcesCreatedEvent));
        }
        catch (OperationCanceledException)
        {
        }
    }

    private async Task StartTogetherAsync(IGrouping<IResource, InstanceController> replicas)
    {
        // One wait and one event for all replicas; a replica that is stopped meanwhile stops waiting for it.
        var prelude = new Lazy<Task>(() => replicas.First().PreludeAsync(_stopping.Token));
        await Task.WhenAll(replicas.Select(controller => controller.StartAsync(
            cancellationToken => prelude.Value.WaitAsync(cancellationToken), CancellationToken.None))).ConfigureAwait(false);
    }

    /// <summary>What lives inside a server (a database) is in the state that its server is in.</summary>
    private async Task FollowParentsAsync(ILookup<IResource, IResourceWithParent> children, CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var change in notifications.WatchAsync(cancellationToken).ConfigureAwait(false))
            {
                foreach (var child in children[change.Resource].Where(child => !IsProcess(child)))
                {
                    await notifications.PublishUpdateAsync(child, snapshot =>
                    {
                        if (snapshot.State?.Text == change.Snapshot.State?.Text)
                        {
                            return snapshot;
                        }

                        var isRunning = change.Snapshot.State?.Text == KnownResourceStates.Running;
                        return snapshot with
                        {
                            State = change.Snapshot.State,
                            StartTimeStamp = change.Snapshot.StartTimeStamp,
                            StopTimeStamp = change.Snapshot.StopTimeStamp,
                            ExitCode = change.Snapshot.ExitCode,
                            Ready = isRunning ? snapshot.Ready : null,
                            HealthReports = isRunning ? snapshot.HealthReports : InstanceController.InitialHealthReports(child),
                        };
                    }).ConfigureAwait(false);
                }
            }
        }
        catch (OperationCanceledException)
        {
        }
    }
}
