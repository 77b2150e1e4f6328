using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;

namespace AspireStreaming.ServiceDefaults.Health;

/// <summary>
/// Runs one registered check within a time limit, and never twice at once: a check that ignores its cancellation (a client
/// that connects in the container's lock, say) is left to end by itself, and its answer counts when it comes.
/// </summary>
internal sealed class HealthProbe(HealthCheckRegistration registration, IServiceScopeFactory scopes, TimeProvider time, ILogger logger)
{
    public const string LiveTag = "live";

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(2);

    private readonly Lock _lock = new();
    private Task<HealthCheckResult>? _running;
    private HealthStatus _last = HealthStatus.Healthy;

    public string Name => registration.Name;

    /// <summary>Tells whether the process lives, not whether its dependencies do.</summary>
    public bool IsLiveness => registration.Tags.Contains(LiveTag);

    public async Task<HealthReportEntry> CheckAsync()
    {
        Task<HealthCheckResult> running;
        lock (_lock)
        {
            running = _running is { IsCompleted: false } pending ? pending : _running = Task.Run(RunAsync);
        }

        var start = time.GetTimestamp();
        HealthCheckResult result;
        try
        {
            result = await running.WaitAsync(Limit, time);
        }
        catch (TimeoutException)
        {
            result = Late();
        }

        // A check may say Unhealthy where its registration says that its failure only degrades.
        var status = result.Status < registration.FailureStatus ? registration.FailureStatus : result.Status;
        LogChange(status, result);
        return new HealthReportEntry(status, result.Description, time.GetElapsedTime(start), result.Exception, result.Data, registration.Tags);
    }

    private async Task<HealthCheckResult> RunAsync()
    {
        using var deadline = new CancellationTokenSource(Limit, time);
        try
        {
            await using var scope = scopes.CreateAsyncScope();
            var check = registration.Factory(scope.ServiceProvider);
            return await check.CheckHealthAsync(new HealthCheckContext { Registration = registration }, deadline.Token);
        }
        catch (OperationCanceledException) when (deadline.IsCancellationRequested)
        {
            return Late();
        }
        catch (Exception exception)
        {
            return new HealthCheckResult(registration.FailureStatus, exception.Message, exception);
        }
    }

    private HealthCheckResult Late() => new(registration.FailureStatus, $"No answer within {Limit.TotalSeconds:0} s.");

    private void LogChange(HealthStatus status, HealthCheckResult result)
    {
        lock (_lock)
        {
            if (status == _last)
            {
                return;
            }

            _last = status;
        }

        if (status == HealthStatus.Healthy)
        {
            HealthLog.CheckRecovered(logger, Name);
        }
        else
        {
            HealthLog.CheckFailed(logger, Name, status, result.Description, result.Exception);
        }
    }
}
