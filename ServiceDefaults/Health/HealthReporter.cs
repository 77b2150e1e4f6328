using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace AspireStreaming.ServiceDefaults.Health;

/// <summary>Runs all registered checks side by side, at most once a second however often it is asked.</summary>
internal sealed class HealthReporter
{
    private static readonly TimeSpan Validity = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly HealthProbe[] _probes;
    private readonly TimeProvider _time;
    private Task<HealthReport>? _report;
    private long _startedAt;

    public HealthReporter(
        IOptions<HealthCheckServiceOptions> options, IServiceScopeFactory scopes, TimeProvider time, ILogger<HealthReporter> logger)
    {
        _time = time;
        _probes = [.. options.Value.Registrations.Select(registration => new HealthProbe(registration, scopes, time, logger))];
    }

    /// <summary>The state of everything, no older than a second.</summary>
    public Task<HealthReport> GetAsync()
    {
        lock (_lock)
        {
            if (_report is null || (_report.IsCompleted && _time.GetElapsedTime(_startedAt) >= Validity))
            {
                _startedAt = _time.GetTimestamp();
                _report = CheckAsync(_probes);
            }

            return _report;
        }
    }

    /// <summary>The state of the process itself.</summary>
    public async Task<HealthStatus> GetLivenessAsync()
    {
        var report = await CheckAsync(_probes.Where(probe => probe.IsLiveness));
        return report.Status;
    }

    private async Task<HealthReport> CheckAsync(IEnumerable<HealthProbe> probes)
    {
        var start = _time.GetTimestamp();
        var entries = await Task.WhenAll(probes.Select(async probe => KeyValuePair.Create(probe.Name, await probe.CheckAsync())));
        return new HealthReport(new Dictionary<string, HealthReportEntry>(entries), _time.GetElapsedTime(start));
    }
}
