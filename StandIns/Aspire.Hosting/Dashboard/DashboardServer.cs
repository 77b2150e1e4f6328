namespace Aspire.Hosting.Dashboard;

internal sealed class DashboardServer : IAsyncDisposable
{
    public DashboardServer(IServiceProvider services, string url)
    {
        _ = services;
        Url = url;
    }

    /// <summary>The address of the page; with port 0 it names the real port after <see cref="StartAsync"/>.</summary>
    public string Url { get; }

    public Task StartAsync(CancellationToken cancellationToken) => throw new NotImplementedException();

    public ValueTask DisposeAsync() => throw new NotImplementedException();
}
