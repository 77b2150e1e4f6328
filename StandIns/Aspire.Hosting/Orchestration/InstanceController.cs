using System.Collections.Immutable;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Aspire.Hosting.Local;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.Orchestration;

/// <summary>Starts and stops the process of one instance, one operation at a time, and reports its state.</summary>
internal sealed class InstanceController : IAsyncDisposable
{
    private const int LastLinesOfAFailure = 20;
    private const int PortAttempts = 50;
    private static readonly TimeSpan PortRetry = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(10);

    private readonly ResourceInstance _instance;
    private readonly LaunchPlanner _planner;
    private readonly EndpointRouter _router;
    private readonly ResourceNotificationService _notifications;
    private readonly ResourceLoggerService _loggers;
    private readonly ResourceOutput _output;
    private readonly IDistributedApplicationEventing _eventing;
    private readonly IServiceProvider _services;
    private readonly ILogger _logger;
    private readonly SemaphoreSlim _gate = new(1);
    private readonly CancellationTokenSource _disposing = new();
    private readonly Lock _startLock = new();
    private CancellationTokenSource? _starting;
    private GuardedProcess? _process;
    private Task _exit = Task.CompletedTask;
    private volatile bool _isStopping;

    public InstanceController(
        ResourceInstance instance,
        LaunchPlanner planner,
        EndpointRouter router,
        ResourceNotificationService notifications,
        ResourceLoggerService loggers,
        ResourceOutput output,
        IDistributedApplicationEventing eventing,
        IServiceProvider services)
    {
        _instance = instance;
        _planner = planner;
        _router = router;
        _notifications = notifications;
        _loggers = loggers;
        _output = output;
        _eventing = eventing;
        _services = services;
        _logger = loggers.GetLogger(instance.Id);
    }

    public ResourceInstance Instance => _instance;

    public bool IsServer => _instance.Resource.HasAnnotationOfType<LocalServerAnnotation>();

    private string EndState => IsServer ? KnownResourceStates.Exited : KnownResourceStates.Finished;

    public Task<ExecuteCommandResult> StartAsync(CancellationToken cancellationToken) => StartAsync(PreludeAsync, cancellationToken);

    /// <summary>
    /// Starts the process once <paramref name="prelude"/> has run (waiting for dependencies and the handlers that come before a
    /// start; replicas that start together share one). Its outcome is a state and a result, never an exception.
    /// </summary>
    public async Task<ExecuteCommandResult> StartAsync(Func<CancellationToken, Task> prelude, CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_process is { Exited.IsCompleted: false })
            {
                return CommandResults.Success();
            }

            // What has begun to start goes on when the caller of the command goes away; stopping ends it.
            var starting = BeginStart();
            try
            {
                await Publish(Reset).ConfigureAwait(false);
                await prelude(starting.Token).ConfigureAwait(false);
                await Publish(snapshot => snapshot with { State = KnownResourceStates.Starting }).ConfigureAwait(false);
                var plan = await _planner.PlanAsync(_instance, starting.Token).ConfigureAwait(false);
                await WaitForPortsAsync(starting.Token).ConfigureAwait(false);
                await _router.ListenAsync(_instance.Resource, starting.Token).ConfigureAwait(false);
                await RunAsync(plan).ConfigureAwait(false);
                return CommandResults.Success();
            }
            catch (OperationCanceledException) when (starting.IsCancellationRequested)
            {
                await Publish(snapshot => snapshot with { State = EndState, StopTimeStamp = Now() }).ConfigureAwait(false);
                return CommandResults.Canceled();
            }
            catch (Exception exception)
            {
                _logger.LogError("Failed to start resource {Resource}: {Reason}", _instance.DisplayName, exception.Message);
                await PublishFailure(exitCode: null).ConfigureAwait(false);
                return CommandResults.Failure(exception.Message);
            }
            finally
            {
                EndStart();
            }
        }
        finally
        {
            _gate.Release();
        }
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        CancelStart();
        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_process is not { Exited.IsCompleted: false } process)
            {
                return;
            }

            _isStopping = true;
            await Publish(snapshot => snapshot with { State = KnownResourceStates.Stopping }).ConfigureAwait(false);
            await process.StopAsync(Grace).ConfigureAwait(false);
            await _exit.ConfigureAwait(false);
        }
        finally
        {
            _isStopping = false;
            _gate.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _disposing.CancelAsync().ConfigureAwait(false);
        if (_process is { } process)
        {
            await process.DisposeAsync().ConfigureAwait(false);
            await _exit.ConfigureAwait(false);
        }

        _loggers.Complete(_instance.Id);
    }

    /// <summary>What comes before a process starts: its dependencies, then the handlers of its event.</summary>
    public async Task PreludeAsync(CancellationToken cancellationToken)
    {
        await _notifications.WaitForDependenciesAsync(_instance.Resource, cancellationToken).ConfigureAwait(false);
        await _eventing.PublishAsync(new BeforeResourceStartedEvent(_instance.Resource, _services), cancellationToken).ConfigureAwait(false);
    }

    private static DateTime Now() => TimeProvider.System.GetUtcNow().UtcDateTime;

    private CancellationTokenSource BeginStart()
    {
        lock (_startLock)
        {
            return _starting = CancellationTokenSource.CreateLinkedTokenSource(_disposing.Token);
        }
    }

    private void EndStart()
    {
        lock (_startLock)
        {
            _starting?.Dispose();
            _starting = null;
        }
    }

    private void CancelStart()
    {
        lock (_startLock)
        {
            _starting?.Cancel();
        }
    }

    private CustomResourceSnapshot Reset(CustomResourceSnapshot snapshot) => snapshot.WithProperty("executable.pid", null) with
    {
        State = KnownResourceStates.Starting,
        StartTimeStamp = null,
        StopTimeStamp = null,
        ExitCode = null,
        Ready = null,
        HealthReports = InitialHealthReports(_instance.Resource),
    };

    internal static ImmutableArray<HealthReportSnapshot> InitialHealthReports(IResource resource) =>
        [.. resource.Annotations.OfType<HealthCheckAnnotation>().Select(check => new HealthReportSnapshot(check.Key, null, null, null))];

    private async Task RunAsync(LaunchPlan plan)
    {
        // What a server writes to its standard error is its log, not its errors.
        var process = GuardedProcess.Start(plan.Process, (line, isError) => _output.Write(_instance, line, isError && !IsServer));
        _process = process;
        await Publish(snapshot =>
        {
            var running = plan.Properties.Aggregate(
                snapshot, (current, property) => current.WithProperty(property.Name, property.Value, property.IsSensitive));
            return running.WithProperty("executable.pid", process.Id) with
            {
                State = new(KnownResourceStates.Running, KnownResourceStateStyles.Success),
                StartTimeStamp = Now(),
                EnvironmentVariables = plan.EnvironmentVariables,
                Urls = [.. snapshot.Urls.Select(url => url with { IsInactive = false })],
            };
        }).ConfigureAwait(false);
        _exit = WatchExitAsync(process);
    }

    private async Task WatchExitAsync(GuardedProcess process)
    {
        var exitCode = await process.Exited.ConfigureAwait(false);
        var wasReady = _notifications.TryGetCurrentState(_instance.Id, out var last) && last.Snapshot.Ready is not null;
        if (_isStopping || _disposing.IsCancellationRequested)
        {
            await PublishEnd(exitCode).ConfigureAwait(false);
        }
        else if (IsServer && !wasReady)
        {
            // A container's port would already have been taken, its image be missing ... in time; here the process finds out.
            var lines = _loggers.LastLines(_instance.Id, LastLinesOfAFailure);
            _logger.LogError(
                "{Resource} ended with exit code {ExitCode} before it was ready. Its last lines: {Lines}",
                _instance.DisplayName, exitCode, Environment.NewLine + string.Join(Environment.NewLine, lines));
            await PublishFailure(exitCode).ConfigureAwait(false);
        }
        else
        {
            if (exitCode != 0)
            {
                _logger.LogError("{Resource} ended with exit code {ExitCode}.", _instance.DisplayName, exitCode);
            }

            await PublishEnd(exitCode).ConfigureAwait(false);
        }

        if (_notifications.TryGetCurrentState(_instance.Id, out var stopped))
        {
            try
            {
                await _eventing.PublishAsync(
                    new ResourceStoppedEvent(_instance.Resource, _services, stopped), EventDispatchBehavior.BlockingSequential, _disposing.Token)
                    .ConfigureAwait(false);
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                _logger.LogError(exception, "A handler of {Event} failed.", nameof(ResourceStoppedEvent));
            }
            catch (OperationCanceledException)
            {
            }
        }
    }

    /// <summary>A fixed port may still be held by the last run; a clear word beats the server's own complaint.</summary>
    private async Task WaitForPortsAsync(CancellationToken cancellationToken)
    {
        foreach (var (endpoint, port) in _instance.TargetPorts)
        {
            for (var attempt = 1; !LocalPorts.IsFree(port); attempt++)
            {
                if (attempt == PortAttempts)
                {
                    throw new DistributedApplicationException(
                        $"Port {port} of endpoint '{endpoint}' is in use by another program.");
                }

                await Task.Delay(PortRetry, TimeProvider.System, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private Task PublishEnd(int exitCode) => Publish(snapshot => Ended(snapshot, EndState, exitCode));

    private Task PublishFailure(int? exitCode) => Publish(snapshot => Ended(
        snapshot, new ResourceStateSnapshot(KnownResourceStates.FailedToStart, KnownResourceStateStyles.Error), exitCode));

    private static CustomResourceSnapshot Ended(CustomResourceSnapshot snapshot, ResourceStateSnapshot? state, int? exitCode) => snapshot with
    {
        State = state,
        ExitCode = exitCode,
        StopTimeStamp = Now(),
        Ready = null,
        Urls = [.. snapshot.Urls.Select(url => url with { IsInactive = true })],
    };

    private Task Publish(Func<CustomResourceSnapshot, CustomResourceSnapshot> change) =>
        _notifications.PublishUpdateAsync(_instance.Resource, _instance.Id, change);
}
