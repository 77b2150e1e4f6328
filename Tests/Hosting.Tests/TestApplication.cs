using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;

namespace AspireStreaming.Hosting.Tests;

/// <summary>An application that a test describes itself, started, with the questions that the tests ask.</summary>
internal sealed class TestApplication : IAsyncDisposable
{
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);
    private readonly IDistributedApplicationTestingBuilder _builder;

    private TestApplication(IDistributedApplicationTestingBuilder builder, DistributedApplication app)
    {
        _builder = builder;
        App = app;
    }

    public DistributedApplication App { get; }

    public ResourceNotificationService Notifications => App.ResourceNotifications;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static async Task<TestApplication> StartAsync(Action<IDistributedApplicationBuilder> describe, params string[] args)
    {
        var builder = DistributedApplicationTestingBuilder.Create(args, (_, _) => { });
        describe(builder);
        return await StartAsync(builder);
    }

    public static async Task<TestApplication> StartAsync(IDistributedApplicationTestingBuilder builder)
    {
        builder.Services.AddLogging(logging => logging.SetMinimumLevel(LogLevel.Warning));
        var app = await builder.BuildAsync(Cancellation);
        var started = new TestApplication(builder, app);
        try
        {
            await app.StartAsync(Cancellation);
            return started;
        }
        catch
        {
            await started.DisposeAsync();
            throw;
        }
    }

    public Task<ResourceEvent> HealthyAsync(string name) =>
        Notifications.WaitForResourceHealthyAsync(name, Cancellation).WaitAsync(Deadline, Cancellation);

    public Task StateAsync(string name, string state) =>
        Notifications.WaitForResourceAsync(name, state, Cancellation).WaitAsync(Deadline, Cancellation);

    /// <summary>The official waits know names only; a replica is told apart in the condition.</summary>
    public Task ReplicaHealthyAsync(ResourceEvent replica) => ReplicaAsync(
        replica, change => change.Snapshot.HealthStatus == HealthStatus.Healthy && change.Snapshot.State?.Text == KnownResourceStates.Running);

    public Task ReplicaStateAsync(ResourceEvent replica, string state) => ReplicaAsync(replica, change => change.Snapshot.State?.Text == state);

    private Task<ResourceEvent> ReplicaAsync(ResourceEvent replica, Func<ResourceEvent, bool> condition) => Notifications
        .WaitForResourceAsync(replica.Resource.Name, change => change.ResourceId == replica.ResourceId && condition(change), Cancellation)
        .WaitAsync(Deadline, Cancellation);

    public ResourceEvent Current(string name) =>
        Notifications.TryGetCurrentState(name, out var state) ? state : throw new InvalidOperationException($"{name} has no state.");

    /// <summary>The replicas of a resource, as they are now.</summary>
    public IReadOnlyList<ResourceEvent> Replicas(string name) =>
        [.. ((string[])[.. Snapshots(name)]).Order(StringComparer.Ordinal).Select(Current)];

    public async Task<ExecuteCommandResult> CommandAsync(string resourceId, string command)
    {
        var result = await App.ResourceCommands.ExecuteCommandAsync(resourceId, command, Cancellation).WaitAsync(Deadline, Cancellation);
        Assert.True(result.Success, $"{command} of {resourceId}: {result.Message}");
        return result;
    }

    public async Task<string> LogAsync(string resourceId)
    {
        var lines = new List<string>();
        await foreach (var batch in App.Services.GetRequiredService<ResourceLoggerService>().GetAllAsync(Current(resourceId).ResourceId))
        {
            lines.AddRange(batch.Select(line => line.Content));
        }

        return string.Join('\n', lines);
    }

    public async ValueTask DisposeAsync()
    {
        await _builder.DisposeAsync();
    }

    public static int ProcessId(ResourceEvent state) => Convert.ToInt32(Property(state, "executable.pid"), CultureInfo.InvariantCulture);

    public static object? Property(ResourceEvent state, string name) =>
        state.Snapshot.Properties.FirstOrDefault(property => property.Name == name)?.Value;

    private IEnumerable<string> Snapshots(string name)
    {
        var model = App.Services.GetRequiredService<DistributedApplicationModel>();
        return model.Resources.Single(resource => resource.Name == name).GetResolvedResourceNames();
    }
}
