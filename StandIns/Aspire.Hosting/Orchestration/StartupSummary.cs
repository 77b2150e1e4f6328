using System.Globalization;
using System.Text;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Hosting;

namespace Aspire.Hosting.Orchestration;

/// <summary>Says once, when everything has started, what runs and where, and how long that took.</summary>
internal sealed class StartupSummary(
    DistributedApplicationModel model,
    ResourceNotificationService notifications,
    DashboardHost dashboard,
    DistributedApplicationOptions options) : BackgroundService
{
    private readonly long _created = TimeProvider.System.GetTimestamp();

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (options.EnableResourceLogging)
        {
            return;
        }

        try
        {
            await foreach (var _ in notifications.WatchAsync(stoppingToken).ConfigureAwait(false))
            {
                var ids = Resources().SelectMany(resource => resource.GetResolvedResourceNames()).ToArray();
                if (ids.All(IsSettled))
                {
                    // That their handlers have ended is no news that would come here. One that failed has said so itself.
                    await ((Task)Task.WhenAll(ids.Select(ReadyOf)).WaitAsync(stoppingToken)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                    stoppingToken.ThrowIfCancellationRequested();
                    Console.Out.WriteLine(Describe());
                    return;
                }
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    private IEnumerable<IResource> Resources() =>
        model.Resources.Where(resource => resource is not (ParameterResource or IResourceWithoutLifetime));

    private bool IsSettled(string id)
    {
        if (!notifications.TryGetCurrentState(id, out var state))
        {
            return false;
        }

        var snapshot = state.Snapshot;
        return ResourceNotificationService.IsHealthyAndReady(state)
            || snapshot.State?.Text == KnownResourceStates.NotStarted
            || (snapshot.State?.Text is { } text && KnownResourceStates.TerminalStates.Contains(text));
    }

    private Task ReadyOf(string id) =>
        notifications.TryGetCurrentState(id, out var state) && state.Snapshot.Ready is { } ready ? ready : Task.CompletedTask;

    private string Describe()
    {
        var rows = Resources()
            .SelectMany(resource => resource.GetResolvedResourceNames(), (resource, id) => Row(resource, id))
            .ToArray();
        var nameWidth = rows.Max(row => row.Name.Length);
        var stateWidth = rows.Max(row => row.State.Length);
        var seconds = TimeProvider.System.GetElapsedTime(_created).TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture);
        var text = new StringBuilder().AppendLine();
        text.AppendLine(CultureInfo.InvariantCulture, $"{(rows.All(row => row.State == "Healthy") ? "All healthy" : "Started")} after {seconds} s");
        foreach (var (name, state, urls) in rows)
        {
            text.AppendLine($"  {name.PadRight(nameWidth)}  {state.PadRight(stateWidth)}  {string.Join("  ", urls)}".TrimEnd());
        }

        if (dashboard.Url is { } url)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"  {"dashboard".PadRight(nameWidth)}  {"".PadRight(stateWidth)}  {url}");
        }

        return text.ToString();
    }

    private (string Name, string State, IEnumerable<string> Urls) Row(IResource resource, string id)
    {
        notifications.TryGetCurrentState(id, out var state);
        var snapshot = state!.Snapshot;
        var name = resource.GetResolvedResourceNames().Count > 1 ? id : resource.Name;
        var description = snapshot.HealthStatus?.ToString() ?? snapshot.State?.Text ?? "Unknown";
        if (snapshot.ExitCode is { } exitCode)
        {
            description += $" ({exitCode.ToString(CultureInfo.InvariantCulture)})";
        }

        return (name, description, snapshot.Urls.OrderBy(url => url.IsInternal).ThenByDescending(url => url.Name is "http" or "https").Select(Label));
    }

    private static string Label(UrlSnapshot url) => url switch
    {
        { IsInternal: true, Name: not null } => $"[{url.Name} {url.Url}]",
        { Name: not (null or "http" or "https" or "tcp") } => $"{url.Name} {url.Url}",
        _ => url.Url,
    };
}
