using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Dashboard;

/// <summary>
/// The latest state of every resource. A reader asks for what has changed since the version that it knows: one that is slow
/// passes over intermediate states and needs no queue.
/// </summary>
internal sealed class ResourceFeed(ResourceNotificationService notifications)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, (long Version, ResourceView View)> _resources = new(StringComparer.OrdinalIgnoreCase);
    private TaskCompletionSource _changed = NewSignal();
    private long _version;

    public async Task RunAsync(CancellationToken stoppingToken)
    {
        try
        {
            await foreach (var change in notifications.WatchAsync(stoppingToken))
            {
                Update(change);
            }
        }
        catch (OperationCanceledException)
        {
            // The page or the application stops.
        }
    }

    public IReadOnlyList<ResourceView> All() => ChangedSince(0).Views;

    public bool Contains(string id)
    {
        lock (_lock)
        {
            return _resources.ContainsKey(id);
        }
    }

    public (long Version, IReadOnlyList<ResourceView> Views) ChangedSince(long version)
    {
        lock (_lock)
        {
            return (
                _version,
                [.. _resources.Values
                    .Where(resource => resource.Version > version)
                    .Select(resource => resource.View)
                    .OrderBy(view => view.Name, StringComparer.OrdinalIgnoreCase)
                    .ThenBy(view => view.Id, StringComparer.OrdinalIgnoreCase)]);
        }
    }

    /// <summary>Completes when there is something newer than <paramref name="version"/>.</summary>
    public Task ChangeAfter(long version)
    {
        lock (_lock)
        {
            return _version > version ? Task.CompletedTask : _changed.Task;
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private void Update(ResourceEvent change)
    {
        if (change.Snapshot.IsHidden)
        {
            return;
        }

        var view = ResourceView.From(change);
        TaskCompletionSource signal;
        lock (_lock)
        {
            _resources[change.ResourceId] = (++_version, view);
            signal = _changed;
            _changed = NewSignal();
        }

        signal.SetResult();
    }
}
