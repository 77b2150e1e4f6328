using System.Collections.Immutable;
using System.Net;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Local;

namespace Aspire.Hosting.Orchestration;

/// <summary>Serves the ports that several replicas share, and points each at the replicas that can answer.</summary>
internal sealed class EndpointRouter(ResourceNotificationService notifications) : IAsyncDisposable
{
    private const int ListenAttempts = 50;
    private static readonly TimeSpan ListenRetry = TimeSpan.FromMilliseconds(100);

    private readonly Dictionary<IResource, Group> _groups = [];
    private readonly SemaphoreSlim _gate = new(1);
    private readonly CancellationTokenSource _stopping = new();
    private Task _loop = Task.CompletedTask;

    public void Add(IResource resource, IReadOnlyList<ResourceInstance> instances, IReadOnlyList<EndpointAnnotation> endpoints)
    {
        if (endpoints.Count > 0)
        {
            _groups[resource] = new Group(instances, endpoints);
        }
    }

    public bool IsShared(IResource resource) => _groups.ContainsKey(resource);

    public void Start() => _loop = _groups.Count == 0 ? Task.CompletedTask : FollowAsync();

    /// <summary>Takes the public ports of a resource that shares some; a port that is in use is waited for a little.</summary>
    public async Task ListenAsync(IResource resource, CancellationToken cancellationToken)
    {
        if (!_groups.TryGetValue(resource, out var group))
        {
            return;
        }

        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            foreach (var endpoint in group.Endpoints)
            {
                if (!group.Proxies.ContainsKey(endpoint))
                {
                    group.Proxies = group.Proxies.Add(endpoint, await ListenAsync(endpoint, cancellationToken).ConfigureAwait(false));
                }
            }
        }
        finally
        {
            _gate.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(false);
        foreach (var proxy in _groups.Values.SelectMany(group => group.Proxies.Values))
        {
            await proxy.DisposeAsync().ConfigureAwait(false);
        }

        _gate.Dispose();
    }

    private static async Task<TcpProxy> ListenAsync(EndpointAnnotation endpoint, CancellationToken cancellationToken)
    {
        var address = endpoint.TargetHost switch
        {
            "localhost" => IPAddress.Loopback,
            var host when IPAddress.TryParse(host.Trim('[', ']'), out var parsed) => parsed,
            _ => IPAddress.Any,
        };
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                var proxy = new TcpProxy(address, endpoint.AllocatedEndpoint!.Port);
                proxy.Start();
                return proxy;
            }
            catch (DistributedApplicationException) when (attempt < ListenAttempts)
            {
                await Task.Delay(ListenRetry, TimeProvider.System, cancellationToken).ConfigureAwait(false);
            }
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
        foreach (var (endpoint, proxy) in group.Proxies)
        {
            proxy.SetTargets([.. targets.Select(instance => new IPEndPoint(IPAddress.Loopback, instance.TargetPorts[endpoint.Name]))]);
        }
    }

    private CustomResourceSnapshot? Snapshot(ResourceInstance instance) =>
        notifications.TryGetCurrentState(instance.Id, out var state) ? state.Snapshot : null;

    private sealed record Group(IReadOnlyList<ResourceInstance> Instances, IReadOnlyList<EndpointAnnotation> Endpoints)
    {
        /// <summary>Replaced as a whole, for the routing loop reads it while ports are taken.</summary>
        public ImmutableDictionary<EndpointAnnotation, TcpProxy> Proxies { get; set; } =
            ImmutableDictionary<EndpointAnnotation, TcpProxy>.Empty;
    }
}
