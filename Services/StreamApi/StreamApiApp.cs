using System.Diagnostics.Metrics;
using AspireStreaming.ServiceDefaults.Auth;
using AspireStreaming.ServiceDefaults.Health;
using AspireStreaming.StreamApi.Audit;
using AspireStreaming.StreamApi.Connections;
using AspireStreaming.StreamApi.Listing;
using AspireStreaming.StreamApi.Page;
using AspireStreaming.StreamApi.Pages;
using AspireStreaming.StreamApi.Rpc;
using AspireStreaming.StreamApi.Sessions.WebSockets;
using AspireStreaming.StreamApi.Sse;
using AspireStreaming.StreamApi.Statistics;
using AspireStreaming.Streaming.Rpc;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace AspireStreaming.StreamApi;

/// <summary>The delivering service.</summary>
public static class StreamApiApp
{
    private static readonly MinDataRate PageRate = new(bytesPerSecond: 240, gracePeriod: TimeSpan.FromSeconds(5));

    /// <summary>Builds the service; configuration may come as arguments.</summary>
    public static WebApplication Create(string[] args)
    {
        // Its files lie beside the program, wherever that is started from.
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { Args = args, ContentRootPath = AppContext.BaseDirectory });
        builder.AddStreamApi();
        var app = builder.Build();
        app.UseTrustedProxies();
        app.UseServiceDefaults();
        app.Use(LimitSlowReaders);
        app.UseCors();
        app.UseStreamAccess();
        app.UseSessionSockets();
        app.UsePage();
        app.MapDefaultEndpoints();
        app.MapGet("/streams/{stream}/events", ServeEventsAsync).RequireSubscribe();
        app.MapGet("/events", ServeManyAsync);
        app.MapStreams();
        app.MapAudit();
        app.MapConnections();
        app.MapSessionSockets();
        app.MapGrpcService<StreamsGrpcService>();
        app.MapGrpcService<HealthGrpcService>().AllowAnonymous();
        app.MapStats();
        app.ObserveMetrics();
        app.Services.GetRequiredService<LongRequests>().Include(() => app.Services.GetRequiredService<ConnectionRegistry>().Count);
        return app;
    }

    /// <summary>
    /// For all but live streams: Kestrel's own limit on slow readers, which is off for the server because HTTP/2 knows no exceptions.
    /// </summary>
    private static Task LimitSlowReaders(HttpContext context, RequestDelegate next)
    {
        if (context.Features.Get<IHttpMinResponseDataRateFeature>() is { } rate && HttpProtocol.IsHttp11(context.Request.Protocol))
        {
            rate.MinDataRate = PageRate;
        }

        return next(context);
    }

    private static async Task<IResult> ServeEventsAsync(HttpContext context, string stream, SseEndpoint sse, PageEndpoint pages)
    {
        switch (EventsRequest.FormOf(context.Request))
        {
            case EventsForm.Sse:
                return EventsRequest.TryReadSse(context.Request, stream, out var live) ?? await sse.ServeAsync(context, live!);
            case EventsForm.Page:
                return EventsRequest.TryReadPage(context.Request, stream, out var page) ?? await pages.ServeAsync(context, page!);
            default:
                return Problems.NotAcceptable();
        }
    }

    private static async Task<IResult> ServeManyAsync(HttpContext context, SseEndpoint sse)
    {
        if (!EventsRequest.AcceptsSse(context.Request))
        {
            return Problems.NotAcceptable("Events of several streams come as text/event-stream.");
        }

        if (MultiStreamRequest.TryRead(context.Request, out var request) is { } fault)
        {
            return fault;
        }

        var access = context.GetStreamAccess();
        return request!.Subscriptions.FirstOrDefault(subscription => !access.CanSubscribe(subscription.Stream)) is { } refused
            ? AccessRefusal.Forbidden(refused.Stream, "subscribe").ToResult()
            : await sse.ServeAsync(context, request);
    }

    private static void ObserveMetrics(this WebApplication app)
    {
        var stats = app.Services.GetRequiredService<Stats>();
        var feeds = app.Services.GetRequiredService<Delivery.FeedRegistry>();
        var budget = app.Services.GetRequiredService<Delivery.WindowBudget>();
        app.Services.GetRequiredService<StreamApiMetrics>().Observe(
            () => Measure(stats.CountTransports(), "transport"), () => Measure(stats.CountTiers(), "tier"), () => feeds.Count, () => budget.Used);
    }

    private static IEnumerable<Measurement<int>> Measure(Dictionary<string, int> counts, string tag) =>
        counts.Select(pair => new Measurement<int>(pair.Value, new KeyValuePair<string, object?>(tag, pair.Key)));
}
