using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Orchestration;

/// <summary>Points the proxy of each shared port at the replicas that can serve.</summary>
internal sealed class EndpointRouter(ResourceNotificationService notifications) : IAsyncDisposable
{
    private readonly Dictionary<IResource, Group> _groups = [];
    private readonly CancellationTokenSource _stopping = new();
    private Task _loop = Task.CompletedTask;

    public void Add(IResource resource, IReadOnlyList<ResourceInstance> instances, IReadOnlyList<EndpointProxy> proxies)
    {
        if (proxies.Count > 0)
        {
            _groups[resource] = new Group(instances, proxies);
        }
    }

    public bool IsShared(IResource resource) => _groups.ContainsKey(resource);

    public void Start()
    {
        foreach (var proxy in _groups.Values.SelectMany(group => group.Proxies))
        {
            proxy.Start();
        }

        _loop = _groups.Count == 0 ? Task.CompletedTask : FollowAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(false);
        foreach (var proxy in _groups.Values.SelectMany(group => group.Proxies))
        {
            await proxy.DisposeAsync().ConfigureAwait(false);
        }
    }

    private async Task FollowAsync()
    {
        try
        {
            await foreach (var change in notifications.WatchAsync(_stopping.Token).ConfigureAwait(false))
            {
                if (_groups.TryGetValue(change.Resource, out var group))
                {
                    Route(group);
                }
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    private void Route(Group group)
    {
        var running = group.Instances
            .Select(instance => (Instance: instance, Snapshot: Snapshot(instance)))
            .Where(pair => pair.Snapshot?.State?.Text == KnownResourceStates.Running && pair.Snapshot.Ready is not null)
            .ToArray();
        var healthy = running
            .Where(pair => pair.Snapshot!.HealthStatus == Microsoft.Extensions.Diagnostics.HealthChecks.HealthStatus.Healthy)
            .ToArray();

        // If all that were once healthy no longer are, an answer from one of them says more than none.
        var targets = (healthy.Length > 0 ? healthy : running).Select(pair => pair.Instance).ToArray();
        foreach (var proxy in group.Proxies)
        {
            proxy.SetTargets([.. targets.Select(instance => instance.TargetPorts[proxy.Endpoint.Name])]);
        }
    }

    private CustomResourceSnapshot? Snapshot(ResourceInstance instance) =>
        notifications.TryGetCurrentState(instance.Id, out var state) ? state.Snapshot : null;

    private sealed record Group(IReadOnlyList<ResourceInstance> Instances, IReadOnlyList<EndpointProxy> Proxies);
}
