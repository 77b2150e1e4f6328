using System.Collections.Immutable;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.Orchestration;

/// <summary>
/// Asks the health checks of everything that runs, one loop per instance, from its start to its end, and raises
/// <see cref="ResourceReadyEvent"/> when a resource is healthy for the first time since it started.
/// </summary>
internal sealed class HealthMonitor(
    ResourceNotificationService notifications,
    ResourceLoggerService loggers,
    IDistributedApplicationEventing eventing,
    HealthCheckService healthChecks,
    EndpointRouter router,
    IServiceProvider services) : IDisposable
{
    private const int MaxBackOffSeconds = 5;
    private static readonly TimeSpan StartingInterval = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan StartingPeriod = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan HealthyInterval = TimeSpan.FromSeconds(30);

    // Of several replicas one that stops serving should leave the rotation soon.
    private static readonly TimeSpan SharedHealthyInterval = TimeSpan.FromSeconds(5);

    private readonly Dictionary<string, (CancellationTokenSource Stop, Task Loop)> _loops = new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<IResource, Readiness> _readiness = [];
    private readonly Lock _readinessLock = new();
    private readonly CancellationTokenSource _stopping = new();
    private Task _follow = Task.CompletedTask;

    public void Start() => _follow = FollowAsync();

    public async Task StopAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _follow.ConfigureAwait(false);
        await Task.WhenAll(_loops.Values.Select(loop => loop.Loop)).ConfigureAwait(false);
    }

    public void Dispose() => _stopping.Dispose();

    private async Task FollowAsync()
    {
        try
        {
            await foreach (var change in notifications.WatchAsync(_stopping.Token).ConfigureAwait(false))
            {
                var isRunning = change.Snapshot.State?.Text == KnownResourceStates.Running;
                if (isRunning && !_loops.ContainsKey(change.ResourceId))
                {
                    var stop = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
                    _loops[change.ResourceId] = (stop, RunAsync(change.Resource, change.ResourceId, stop.Token));
                }
                else if (!isRunning && _loops.Remove(change.ResourceId, out var ended))
                {
                    await ended.Stop.CancelAsync().ConfigureAwait(false);
                    await ended.Loop.ConfigureAwait(false);
                    ended.Stop.Dispose();
                    Forget(change.Resource, change.ResourceId);
                }
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    private async Task RunAsync(IResource resource, string resourceId, CancellationToken cancellationToken)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        var checks = resource.Annotations.OfType<HealthCheckAnnotation>().ToArray();
        var started = TimeProvider.System.GetTimestamp();
        var isReady = false;
        var failures = 0;
        try
        {
            while (true)
            {
                var reports = await CheckAsync(resource, resourceId, checks, cancellationToken).ConfigureAwait(false);
                var isHealthy = reports.All(report => report.Status == HealthStatus.Healthy);
                Task? ready = null;
                if (isHealthy && !isReady)
                {
                    ready = MakeReady(resource, resourceId);
                    isReady = true;
                }

                await notifications.PublishUpdateAsync(resource, resourceId, snapshot => snapshot.State?.Text != KnownResourceStates.Running
                    ? snapshot
                    : snapshot with { HealthReports = Merge(snapshot.HealthReports, reports), Ready = ready ?? snapshot.Ready })
                    .ConfigureAwait(false);
                if (checks.Length == 0)
                {
                    return;
                }

                failures = isHealthy ? 0 : failures + 1;
                var isStarting = !isReady && TimeProvider.System.GetElapsedTime(started) < StartingPeriod;
                var pause = isHealthy ? (router.IsShared(resource) ? SharedHealthyInterval : HealthyInterval)
                    : isStarting ? StartingInterval
                    : TimeSpan.FromSeconds(Math.Min(failures, MaxBackOffSeconds));
                await Task.Delay(pause, TimeProvider.System, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    private async Task<ImmutableArray<HealthReportSnapshot>> CheckAsync(
        IResource resource,
        string resourceId,
        HealthCheckAnnotation[] checks,
        CancellationToken cancellationToken)
    {
        var reports = ImmutableArray.CreateBuilder<HealthReportSnapshot>(checks.Length);
        var instance = resource.TryGetLastAnnotation<InstancesAnnotation>(out var instances)
            ? instances.Instances.FirstOrDefault(candidate => candidate.Id == resourceId)
            : null;
        foreach (var check in checks)
        {
            var result = check is HttpHealthCheckAnnotation http && instance is not null
                ? await CheckReplicaAsync(http, instance, cancellationToken).ConfigureAwait(false)
                : await CheckRegisteredAsync(check.Key, cancellationToken).ConfigureAwait(false);
            reports.Add(new HealthReportSnapshot(check.Key, result.Status, result.Description, result.Exception?.ToString())
            {
                LastRunAt = TimeProvider.System.GetUtcNow().UtcDateTime,
            });
        }

        return reports.MoveToImmutable();
    }

    private static async Task<HealthCheckResult> CheckReplicaAsync(
        HttpHealthCheckAnnotation check,
        ResourceInstance instance,
        CancellationToken cancellationToken)
    {
        var endpoint = check.Endpoint.EndpointAnnotation;
        if (check.Endpoint.Resource != instance.Resource || !instance.TargetPorts.TryGetValue(endpoint.Name, out var port))
        {
            return await HttpProbe.CheckAsync(
                new Uri(new Uri(check.Endpoint.Url), check.Path), endpoint.Transport, check.StatusCode, cancellationToken).ConfigureAwait(false);
        }

        var address = new UriBuilder(endpoint.UriScheme, check.Endpoint.Host, port).Uri;
        return await HttpProbe.CheckAsync(new Uri(address, check.Path), endpoint.Transport, check.StatusCode, cancellationToken)
            .ConfigureAwait(false);
    }

    private async Task<HealthCheckResult> CheckRegisteredAsync(string key, CancellationToken cancellationToken)
    {
        try
        {
            var report = await healthChecks.CheckHealthAsync(registration => registration.Name == key, cancellationToken).ConfigureAwait(false);
            return report.Entries.TryGetValue(key, out var entry)
                ? new HealthCheckResult(entry.Status, entry.Description, entry.Exception)
                : HealthCheckResult.Unhealthy($"No health check is registered with the key '{key}'.");
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            return HealthCheckResult.Unhealthy(exception.Message, exception);
        }
    }

    /// <summary>A report that says the same as the last one is not news.</summary>
    private static ImmutableArray<HealthReportSnapshot> Merge(
        ImmutableArray<HealthReportSnapshot> known,
        ImmutableArray<HealthReportSnapshot> reports) =>
        known.Select(report => report with { LastRunAt = null }).SequenceEqual(reports.Select(report => report with { LastRunAt = null }))
            ? known
            : reports;

    /// <summary>The handlers run once, when the first of a resource's instances is healthy, and again after all were gone.</summary>
    private Task MakeReady(IResource resource, string resourceId)
    {
        lock (_readinessLock)
        {
            if (!_readiness.TryGetValue(resource, out var readiness))
            {
                _readiness[resource] = readiness = new Readiness(RaiseReadyAsync(resource));
            }

            readiness.Instances.Add(resourceId);
            return readiness.Handlers;
        }
    }

    private void Forget(IResource resource, string resourceId)
    {
        lock (_readinessLock)
        {
            if (_readiness.TryGetValue(resource, out var readiness)
                && readiness.Instances.Remove(resourceId)
                && readiness.Instances.Count == 0)
            {
                _readiness.Remove(resource);
            }
        }
    }

    private async Task RaiseReadyAsync(IResource resource)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            await eventing.PublishAsync(new ResourceReadyEvent(resource, services), _stopping.Token).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            loggers.GetLogger(resource).LogError(exception, "A handler of {Event} failed.", nameof(ResourceReadyEvent));
            throw;
        }
    }

    private sealed record Readiness(Task Handlers)
    {
        public HashSet<string> Instances { get; } = new(StringComparer.OrdinalIgnoreCase);
    }
}
