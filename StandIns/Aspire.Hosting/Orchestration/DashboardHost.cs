using Aspire.Hosting.Dashboard;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.Orchestration;

/// <summary>Runs the dashboard on the AppHost's own address; a dashboard that cannot start stops nothing else.</summary>
internal sealed class DashboardHost(
    DistributedApplicationOptions options,
    IConfiguration configuration,
    IServiceProvider services,
    ILogger<DistributedApplication> logger) : IHostedService, IAsyncDisposable
{
    private const string AnyPort = "http://localhost:0";
    private DashboardServer? _server;

    public string? Url { get; private set; }

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (options.DisableDashboard)
        {
            return;
        }

        var urls = (configuration["ASPNETCORE_URLS"] ?? "").Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var url = urls.FirstOrDefault(candidate => candidate.StartsWith("http:", StringComparison.OrdinalIgnoreCase)) ?? AnyPort;
        try
        {
            _server = new DashboardServer(services, url);
            await _server.StartAsync(cancellationToken).ConfigureAwait(false);
            Url = _server.Url;
            logger.LogInformation("Now listening on: {DashboardUrl}", Url);
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            logger.LogError("The dashboard could not start on {Url}: {Reason}", url, exception.Message);
        }
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync().ConfigureAwait(false);
        }
    }
}
