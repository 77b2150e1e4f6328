using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Aspire.Hosting.ApplicationModel;

public class ResourceNotificationService : IDisposable
{
    private const int WatcherCapacity = 8_192;
    private readonly ILogger<ResourceNotificationService> _logger;
    private readonly IServiceProvider _services;
    private readonly ResourceLoggerService _resourceLoggers;
    private readonly ConcurrentDictionary<string, State> _states = new(StringComparer.OrdinalIgnoreCase);
    private readonly CancellationTokenSource _disposing = new();
    private readonly CancellationToken _stopping;
    private readonly Lock _watcherLock = new();
    private ImmutableArray<Channel<ResourceEvent>> _watchers = [];

    public ResourceNotificationService(
        ILogger<ResourceNotificationService> logger,
        IHostApplicationLifetime hostApplicationLifetime,
        IServiceProvider serviceProvider,
        ResourceLoggerService resourceLoggerService)
    {
        ArgumentNullException.ThrowIfNull(hostApplicationLifetime);
        _logger = logger;
        _services = serviceProvider;
        _resourceLoggers = resourceLoggerService;
        _stopping = CancellationTokenSource.CreateLinkedTokenSource(_disposing.Token, hostApplicationLifetime.ApplicationStopping).Token;
    }

    private WaitBehavior DefaultWaitBehavior =>
        _services.GetService<IOptions<ResourceNotificationServiceOptions>>()?.Value.DefaultWaitBehavior
            ?? WaitBehavior.WaitOnResourceUnavailable;

    public Task PublishUpdateAsync(IResource resource, Func<CustomResourceSnapshot, CustomResourceSnapshot> stateFactory)
    {
        ArgumentNullException.ThrowIfNull(resource);
        foreach (var id in resource.GetResolvedResourceNames())
        {
            Publish(resource, id, stateFactory);
        }

        return Task.CompletedTask;
    }

    public Task PublishUpdateAsync(
        IResource resource,
        string resourceId,
        Func<CustomResourceSnapshot, CustomResourceSnapshot> stateFactory)
    {
        ArgumentNullException.ThrowIfNull(resource);
        Publish(resource, resourceId, stateFactory);
        return Task.CompletedTask;
    }

    public bool TryGetCurrentState(string resourceId, [NotNullWhen(true)] out ResourceEvent? resourceEvent)
    {
        if (_states.TryGetValue(resourceId, out var state))
        {
            resourceEvent = state.Last;
        }
        else
        {
            // A name stands for its only instance; with replicas it is ambiguous.
            var matches = _states.Values
                .Where(candidate => string.Equals(candidate.Resource.Name, resourceId, StringComparison.OrdinalIgnoreCase))
                .Take(2)
                .ToArray();
            resourceEvent = matches.Length == 1 ? matches[0].Last : null;
        }

        return resourceEvent is not null;
    }

    public async IAsyncEnumerable<ResourceEvent> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _disposing.Token);
        var channel = Channel.CreateBounded<ResourceEvent>(
            new BoundedChannelOptions(WatcherCapacity) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true });
        lock (_watcherLock)
        {
            _watchers = _watchers.Add(channel);
        }

        try
        {
            // Whatever changes from here on is in the channel, too, and some of it already in these snapshots.
            var seen = new Dictionary<string, long>(StringComparer.OrdinalIgnoreCase);
            foreach (var last in _states.Values.Select(state => state.Last).OfType<ResourceEvent>().ToArray())
            {
                seen[last.ResourceId] = last.Version;
                yield return last;
            }

            await foreach (var change in channel.Reader.ReadAllAsync(linked.Token).ConfigureAwait(false))
            {
                if (change.Version > seen.GetValueOrDefault(change.ResourceId))
                {
                    yield return change;
                }
            }
        }
        finally
        {
            lock (_watcherLock)
            {
                _watchers = _watchers.Remove(channel);
            }
        }
    }

    public Task WaitForResourceAsync(string resourceName, string? targetState = null, CancellationToken cancellationToken = default) =>
        WaitForResourceAsync(resourceName, [targetState ?? KnownResourceStates.Running], cancellationToken);

    public async Task<string> WaitForResourceAsync(
        string resourceName,
        IEnumerable<string> targetStates,
        CancellationToken cancellationToken = default)
    {
        var states = targetStates.ToHashSet(StringComparer.OrdinalIgnoreCase);
        var change = await WaitForResourceAsync(
            resourceName,
            candidate => candidate.Snapshot.State?.Text is { Length: > 0 } text && states.Contains(text),
            cancellationToken).ConfigureAwait(false);
        return change.Snapshot.State!.Text;
    }

    public async Task<ResourceEvent> WaitForResourceAsync(
        string resourceName,
        Func<ResourceEvent, bool> predicate,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(resourceName);
        return await WaitForChangeAsync(
            resourceName,
            change => string.Equals(change.Resource.Name, resourceName, StringComparison.OrdinalIgnoreCase) && predicate(change),
            cancellationToken).ConfigureAwait(false);
    }

    public Task<ResourceEvent> WaitForResourceHealthyAsync(string resourceName, CancellationToken cancellationToken = default) =>
        WaitForResourceHealthyAsync(resourceName, DefaultWaitBehavior, cancellationToken);

    public async Task<ResourceEvent> WaitForResourceHealthyAsync(
        string resourceName,
        WaitBehavior waitBehavior,
        CancellationToken cancellationToken = default)
    {
        var change = await WaitForResourceAsync(
            resourceName,
            candidate => IsHealthyAndReady(candidate)
                || (waitBehavior == WaitBehavior.StopOnResourceUnavailable && IsUnavailable(candidate.Snapshot)),
            cancellationToken).ConfigureAwait(false);
        if (!IsHealthyAndReady(change))
        {
            throw new DistributedApplicationException(
                $"Stopped waiting for resource '{resourceName}' to become healthy because it is in the state '{change.Snapshot.State?.Text}'."
                    + LastLines(change));
        }

        await change.Snapshot.Ready!.WaitAsync(cancellationToken).ConfigureAwait(false);
        return change;
    }

    public async Task WaitForDependenciesAsync(IResource resource, CancellationToken cancellationToken)
    {
        var waits = resource.Annotations.OfType<WaitAnnotation>()
            .Where(wait => wait.Resource is not IResourceWithoutLifetime)
            .ToArray();
        if (waits.Length == 0)
        {
            return;
        }

        var pending = waits.Select(wait => WaitForAsync(resource, wait, cancellationToken)).ToArray();
        await Task.WhenAll(pending).ConfigureAwait(false);
    }

    public void Dispose()
    {
        _disposing.Cancel();
        GC.SuppressFinalize(this);
    }

    private async Task<ResourceEvent> WaitForChangeAsync(string what, Func<ResourceEvent, bool> predicate, CancellationToken cancellationToken)
    {
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stopping);
        await foreach (var change in WatchAsync(linked.Token).ConfigureAwait(false))
        {
            if (predicate(change))
            {
                return change;
            }
        }

        throw new OperationCanceledException($"The application stopped before resource '{what}' met the condition.");
    }

    internal static bool IsHealthyAndReady(ResourceEvent change) =>
        change.Snapshot.HealthStatus == Microsoft.Extensions.Diagnostics.HealthChecks.HealthStatus.Healthy && change.Snapshot.Ready is not null;

    private static bool IsUnavailable(CustomResourceSnapshot snapshot) =>
        snapshot.State?.Text is { } state
            && (KnownResourceStates.TerminalStates.Contains(state) || state == KnownResourceStates.RuntimeUnhealthy);

    private string LastLines(ResourceEvent change)
    {
        var lines = _resourceLoggers.LastLines(change.ResourceId, 10);
        return lines.Count == 0 ? "" : $" Its last lines:{Environment.NewLine}{string.Join(Environment.NewLine, lines)}";
    }

    private async Task WaitForAsync(IResource resource, WaitAnnotation wait, CancellationToken cancellationToken)
    {
        var behavior = wait.WaitBehavior ?? DefaultWaitBehavior;
        await Task.WhenAll(wait.Resource.GetResolvedResourceNames().Select(id => WaitForInstanceAsync(id))).ConfigureAwait(false);

        async Task WaitForInstanceAsync(string id)
        {
            // A healthy dependency whose ready handlers still run is waited for as well.
            if (!(TryGetCurrentState(id, out var now) && IsSatisfied(now, wait)
                && (wait.WaitType != WaitType.WaitUntilHealthy || now.Snapshot.Ready!.IsCompleted)))
            {
                await PublishUpdateAsync(resource, snapshot =>
                    snapshot.State?.Text is null || snapshot.State.Text == KnownResourceStates.Starting
                        ? snapshot with { State = new(KnownResourceStates.Waiting, KnownResourceStateStyles.Info) }
                        : snapshot).ConfigureAwait(false);
                _resourceLoggers.GetLogger(resource).LogInformation(
                    "Waiting for resource '{Dependency}' to {Goal} ...", id, GoalOf(wait.WaitType));
            }

            var change = await WaitForChangeAsync(
                id,
                candidate => string.Equals(candidate.ResourceId, id, StringComparison.OrdinalIgnoreCase)
                    && (IsSatisfied(candidate, wait) || IsHopeless(candidate, wait, behavior)),
                cancellationToken).ConfigureAwait(false);
            if (!IsSatisfied(change, wait))
            {
                throw new DistributedApplicationException(
                    wait.WaitType == WaitType.WaitForCompletion && change.Snapshot.ExitCode is { } exitCode
                        ? $"Resource '{id}' has entered the '{change.Snapshot.State?.Text}' state with exit code '{exitCode}', expected '{wait.ExitCode}'."
                        : $"Dependency resource '{id}' is in the state '{change.Snapshot.State?.Text}'.");
            }

            if (wait.WaitType == WaitType.WaitUntilHealthy)
            {
                await change.Snapshot.Ready!.WaitAsync(cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private static string GoalOf(WaitType waitType) => waitType switch
    {
        WaitType.WaitUntilHealthy => "become healthy",
        WaitType.WaitForCompletion => "complete",
        _ => "start",
    };

    private static bool IsSatisfied(ResourceEvent change, WaitAnnotation wait) => wait.WaitType switch
    {
        WaitType.WaitUntilHealthy => IsHealthyAndReady(change),
        WaitType.WaitForCompletion => IsTerminal(change) && change.Snapshot.ExitCode == wait.ExitCode,
        _ => change.Snapshot.State?.Text == KnownResourceStates.Running,
    };

    private static bool IsHopeless(ResourceEvent change, WaitAnnotation wait, WaitBehavior behavior) => wait.WaitType switch
    {
        WaitType.WaitForCompletion => IsTerminal(change),
        _ => behavior == WaitBehavior.StopOnResourceUnavailable && IsUnavailable(change.Snapshot),
    };

    private static bool IsTerminal(ResourceEvent change) =>
        change.Snapshot.State?.Text is { } state && KnownResourceStates.TerminalStates.Contains(state);

    private void Publish(IResource resource, string resourceId, Func<CustomResourceSnapshot, CustomResourceSnapshot> stateFactory)
    {
        var state = _states.GetOrAdd(resourceId, _ => new State(resource));

        // Under the lock, so that every watcher sees the changes of a resource in the order in which they were made.
        lock (state.Lock)
        {
            var previous = state.Last?.Snapshot ?? InitialSnapshot(resource);
            var next = WithCommands(resource, stateFactory(previous));
            if (next == previous && state.Last is not null)
            {
                return;
            }

            state.Last = new ResourceEvent(resource, resourceId, next) { Version = (state.Last?.Version ?? 0) + 1 };
            if (next.State?.Text != previous.State?.Text)
            {
                _logger.LogDebug("Resource {Resource}/{ResourceId} -> {State}", resource.Name, resourceId, next.State?.Text);
            }

            foreach (var watcher in _watchers)
            {
                watcher.Writer.TryWrite(state.Last);
            }
        }
    }

    private static CustomResourceSnapshot InitialSnapshot(IResource resource) =>
        resource.TryGetLastAnnotation<ResourceSnapshotAnnotation>(out var annotation)
            ? annotation.InitialSnapshot
            : new CustomResourceSnapshot { ResourceType = resource.GetType().Name.Replace("Resource", "", StringComparison.Ordinal), Properties = [] };

    private CustomResourceSnapshot WithCommands(IResource resource, CustomResourceSnapshot snapshot)
    {
        var context = new UpdateCommandStateContext { ResourceSnapshot = snapshot, ServiceProvider = _services };
        var commands = resource.Annotations.OfType<ResourceCommandAnnotation>()
            .Select(command => new ResourceCommandSnapshot(
                command.Name,
                command.UpdateState(context),
                command.DisplayName,
                command.DisplayDescription,
                command.Parameter,
                command.ConfirmationMessage,
                command.IconName,
                command.IconVariant,
                command.IsHighlighted))
            .ToImmutableArray();
        return commands.SequenceEqual(snapshot.Commands) ? snapshot : snapshot with { Commands = commands };
    }

    private sealed class State(IResource resource)
    {
        public Lock Lock { get; } = new();

        public IResource Resource { get; } = resource;

        public ResourceEvent? Last { get; set; }
    }
}
