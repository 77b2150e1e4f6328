using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace AspireStreaming.StreamApi.Tests.Support;

/// <summary>The Stream API in this process, on real Kestrel at ports of its own.</summary>
internal sealed class StreamApiHost : IAsyncDisposable
{
    private readonly WebApplication _app;
    private bool _stopped;

    private StreamApiHost(WebApplication app)
    {
        _app = app;
        var urls = app.Urls.Select(url => new Uri(url)).ToArray();

        // Kestrel binds the configured endpoints in the order of their names.
        Grpc = urls[0];
        Http = urls[1];
        Https = urls.ElementAtOrDefault(2);
        Client = new HttpClient { BaseAddress = Http };
    }

    public Uri Http { get; }

    public Uri Grpc { get; }

    /// <summary>The third endpoint; null where the settings have none.</summary>
    public Uri? Https { get; }

    public HttpClient Client { get; }

    public IServiceProvider Services => _app.Services;

    public static async Task<StreamApiHost> StartAsync(string redis, params string[] settings)
    {
        var app = StreamApiApp.Create(
        [
            "--environment=Development",
            $"--ConnectionStrings:redis={redis},connectTimeout=2000,syncTimeout=2000",
            "--Kestrel:Endpoints:http:Url=http://127.0.0.1:0",
            "--Kestrel:Endpoints:http:Protocols=Http1",
            "--Kestrel:Endpoints:grpc:Url=http://127.0.0.1:0",
            "--Kestrel:Endpoints:grpc:Protocols=Http2",
            "--Logging:LogLevel:Default=Warning",
            .. settings,
        ]);
        await app.StartAsync(TestContext.Current.CancellationToken);
        return new StreamApiHost(app);
    }

    public Task<SseClient> OpenAsync(string pathAndQuery, string? lastEventId = null) => SseClient.OpenAsync(Http, pathAndQuery, lastEventId);

    public T Get<T>()
        where T : notnull => Services.GetRequiredService<T>();

    public async Task StopAsync()
    {
        _stopped = true;
        await _app.StopAsync(CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        if (!_stopped)
        {
            await StopAsync();
        }

        await _app.DisposeAsync();
    }
}
