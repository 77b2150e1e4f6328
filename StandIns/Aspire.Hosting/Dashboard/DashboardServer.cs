using System.Net;
using Aspire.Hosting.ApplicationModel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Aspire.Hosting.Dashboard;

/// <summary>
/// The page that shows the resources of the application, their logs and environment, and starts and stops them. It is a web
/// application of its own inside the host, on loopback only.
/// </summary>
internal sealed class DashboardServer : IAsyncDisposable
{
    private static readonly TimeSpan StopDeadline = TimeSpan.FromSeconds(2);

    private static readonly string[] Files = ["index.html", "style.css", "app.js", "dom.js", "log.js", "states.js"];

    private readonly WebApplication _app;
    private readonly ResourceFeed _feed;
    private readonly CancellationTokenSource _stopping = new();
    private Task _feeding = Task.CompletedTask;
    private int _disposed;

    public DashboardServer(IServiceProvider services, string url)
    {
        if (!Uri.TryCreate(url, UriKind.Absolute, out var address) || !RequestGuard.IsLoopback(address.Host))
        {
            throw new DistributedApplicationException(
                $"The dashboard's address '{url}' is not a URL of this machine, such as http://localhost:15100.");
        }

        Url = $"http://{address.Authority}";
        _feed = new ResourceFeed(services.GetRequiredService<ResourceNotificationService>());
        _app = Build(address);
        new DashboardApi(
            _feed,
            services.GetRequiredService<ResourceLoggerService>(),
            services.GetRequiredService<ResourceCommandService>(),
            _stopping.Token).Map(_app);
    }

    /// <summary>The address of the page; with port 0 it names the real port after <see cref="StartAsync"/>.</summary>
    public string Url { get; private set; }

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _app.StartAsync(cancellationToken);
        }
        catch (IOException e)
        {
            throw new DistributedApplicationException($"The dashboard cannot listen on {Url}: {e.Message}", e);
        }

        var listening = _app.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.First();
        Url = new UriBuilder(Url) { Port = new Uri(listening).Port }.Uri.GetLeftPart(UriPartial.Authority);
        _feeding = _feed.RunAsync(_stopping.Token);
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        await _stopping.CancelAsync();
        using (var deadline = new CancellationTokenSource(StopDeadline))
        {
            await _app.StopAsync(deadline.Token);
        }

        await _feeding;
        await _app.DisposeAsync();
        _stopping.Dispose();
    }

    private static WebApplication Build(Uri address)
    {
        // Empty: the host's own configuration (ASPNETCORE_URLS and the like) is not meant for this application.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(options =>
        {
            options.AddServerHeader = false;
            if (IPAddress.TryParse(address.Host.Trim('[', ']'), out var ip))
            {
                options.Listen(ip, address.Port, UseHttp1);
            }
            else if (address.Port == 0)
            {
                options.Listen(IPAddress.Loopback, 0, UseHttp1);
            }
            else
            {
                options.ListenLocalhost(address.Port, UseHttp1);
            }
        });
        builder.Services.AddRoutingCore();
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = StopDeadline);
        var app = builder.Build();
        app.Use(GuardAsync);
        foreach (var file in Files)
        {
            app.MapGet(file == "index.html" ? "/" : $"/{file}", context => SendFileAsync(context, file));
        }

        return app;
    }

    private static void UseHttp1(ListenOptions options) => options.Protocols = HttpProtocols.Http1;

    private static Task GuardAsync(HttpContext context, RequestDelegate next)
    {
        var headers = context.Response.Headers;
        headers.ContentSecurityPolicy = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        if (RequestGuard.Refusal(context.Request) is not { } refusal)
        {
            return next(context);
        }

        context.Response.StatusCode = StatusCodes.Status403Forbidden;
        return context.Response.WriteAsync(refusal, context.RequestAborted);
    }

    private static async Task SendFileAsync(HttpContext context, string file)
    {
        await using var content = typeof(DashboardServer).Assembly.GetManifestResourceStream($"dashboard/{file}")!;
        context.Response.ContentType = Path.GetExtension(file) switch
        {
            ".html" => "text/html; charset=utf-8",
            ".css" => "text/css; charset=utf-8",
            _ => "text/javascript; charset=utf-8",
        };
        context.Response.ContentLength = content.Length;
        context.Response.Headers.CacheControl = "no-cache";
        await content.CopyToAsync(context.Response.Body, context.RequestAborted);
    }
}
