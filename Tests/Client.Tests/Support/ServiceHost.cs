using AspireStreaming.PublisherApi;
using AspireStreaming.StreamApi;
using Microsoft.AspNetCore.Builder;

namespace AspireStreaming.Client.Tests.Support;

/// <summary>A service in this process, on real Kestrel.</summary>
internal sealed class ServiceHost : IAsyncDisposable
{
    private readonly WebApplication _app;
    private bool _stopped;

    private ServiceHost(WebApplication app)
    {
        _app = app;

        // The endpoints are told apart by their addresses.
        Http = UrlOf("127.0.0.1");
        Grpc = UrlOf("127.0.0.2");
    }

    public Uri Http { get; }

    public Uri Grpc { get; }

    public static Task<ServiceHost> StartPublisherAsync(string redis, string archive, params string[] settings) =>
        StartAsync(PublisherApp.Create, redis, archive, 0, 0, settings);

    public static Task<ServiceHost> StartStreamApiAsync(string redis, string archive, params string[] settings) =>
        StartAsync(StreamApiApp.Create, redis, archive, 0, 0, settings);

    /// <summary>The Stream API again where another one was.</summary>
    public static Task<ServiceHost> StartStreamApiAtAsync(ServiceHost former, string redis, string archive) =>
        StartAsync(StreamApiApp.Create, redis, archive, former.Http.Port, former.Grpc.Port, []);

    public EventSubscriber CreateSubscriber(Action<StreamingClientOptions>? configure = null)
    {
        var options = new StreamingClientOptions { StreamApiUrl = Http, StreamApiGrpcUrl = Grpc };
        configure?.Invoke(options);
        return new EventSubscriber(new HttpClient { Timeout = Timeout.InfiniteTimeSpan }, options);
    }

    public async Task StopAsync()
    {
        _stopped = true;
        await _app.StopAsync(CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_stopped)
        {
            await StopAsync();
        }

        await _app.DisposeAsync();
    }

    private static async Task<ServiceHost> StartAsync(
        Func<string[], WebApplication> create, string redis, string archive, int httpPort, int grpcPort, string[] settings)
    {
        var app = create(
        [
            "--environment=Development",
            $"--ConnectionStrings:redis={redis},connectTimeout=2000,syncTimeout=2000",
            $"--ConnectionStrings:events={archive}",
            $"--Kestrel:Endpoints:http:Url=http://127.0.0.1:{httpPort}",
            $"--Kestrel:Endpoints:grpc:Url=http://127.0.0.2:{grpcPort}",
            "--Logging:LogLevel:Default=Error",
            .. settings,
        ]);
        await app.StartAsync(CancellationToken.None);
        return new ServiceHost(app);
    }

    private Uri UrlOf(string address) => new(_app.Urls.First(url => url.Contains(address, StringComparison.Ordinal)));
}
