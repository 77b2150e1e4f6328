using AspireStreaming.PublisherApi.Rpc;
using AspireStreaming.PublisherApi.Http;
using AspireStreaming.Streaming.Rpc;
using AspireStreaming.Transport;
using Microsoft.Extensions.Options;

namespace AspireStreaming.PublisherApi;

/// <summary>The Publisher API as a program: everything registered and mapped, ready to run.</summary>
public static class PublisherApp
{
    /// <summary>Builds the application.</summary>
    /// <param name="args">Configuration as command-line arguments.</param>
    public static WebApplication Create(string[] args)
    {
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { Args = args, ContentRootPath = AppContext.BaseDirectory });
        builder.AddServiceDefaults();
        builder.AddPublisher();

        // Nothing here blocks a thread, so that a request may run where it was received.
        builder.WebHost.UseSockets(sockets =>
        {
            sockets.UnsafePreferInlineScheduling = true;

            // Publishers are few and busy: 4 KiB for each connection is less than a system call more for each request.
            sockets.WaitForDataBeforeAllocatingBuffer = false;
        });

        builder.Services.AddEventLoops(provider => provider.GetRequiredService<IOptions<PublisherOptions>>().Value.EventLoops);
        var app = builder.Build();
        app.UseServiceDefaults();
        if (app.Environment.IsDevelopment())
        {
            app.UseCors();
        }

        app.UseStreamAccess();
        app.MapDefaultEndpoints();
        app.MapPublisher();
        app.MapGrpcService<PublisherGrpcService>();
        app.MapGrpcService<HealthGrpcService>().AllowAnonymous();
        return app;
    }
}
