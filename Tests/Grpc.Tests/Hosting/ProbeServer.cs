using System.Net;
using AspireStreaming.Grpc.Tests.Protos;
using Grpc.AspNetCore.Server;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace AspireStreaming.Grpc.Tests.Hosting;

/// <summary>The probe service on Kestrel, HTTP/2 without TLS, on a free port of the loopback interface, and a client of it.</summary>
internal sealed class ProbeServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly List<GrpcChannel> _channels = [];

    private ProbeServer(WebApplication app)
    {
        _app = app;
        Client = CreateClient();
    }

    public Probe.ProbeClient Client { get; }

    public CallLog Calls => _app.Services.GetRequiredService<CallLog>();

    public Uri Address => new(_app.Urls.Single());

    public static async Task<ProbeServer> StartAsync(Action<GrpcServiceOptions>? configure = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            // 100 by default: calls beyond it would wait for a stream, or open a further connection.
            kestrel.Limits.Http2.MaxStreamsPerConnection = 1000;
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2);
        });
        builder.Services.AddSingleton<CallLog>();
        builder.Services.AddGrpc(options => configure?.Invoke(options));
        var app = builder.Build();
        app.MapGrpcService<ProbeService>();
        await app.StartAsync(TestContext.Current.CancellationToken);
        return new ProbeServer(app);
    }

    /// <summary>A client on a channel of its own.</summary>
    public Probe.ProbeClient CreateClient(GrpcChannelOptions? options = null)
    {
        var channel = GrpcChannel.ForAddress(Address, options ?? new GrpcChannelOptions());
        _channels.Add(channel);
        return new Probe.ProbeClient(channel);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var channel in _channels)
        {
            channel.Dispose();
        }

        await _app.StopAsync(CancellationToken.None);
        await _app.DisposeAsync();
    }
}
