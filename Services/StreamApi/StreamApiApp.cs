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
using Microsoft.AspNetCore.Mvc;
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
        app.Use(app.Services.GetRequiredService<LiveResponses>().ServeAsync);
        app.UseTrustedProxies();
        app.UseServiceDefaults();
        app.Use(LimitSlowReaders);

        // CORS notes each request that it has seen in a dictionary of its own; those without an origin are none of its business.
        app.UseWhen(context => context.Request.Headers.Origin.Count > 0, branch => branch.UseCors());
        app.UseStreamAccess();
        app.UseSessionSockets();
        app.UsePage();
        app.MapDefaultEndpoints();
        app.MapEvents();
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

    /// <summary>
    /// Events, live and in pages. These handlers take no services, for a request's scope would be held as long as the connection; and
    /// they give every refusal a body themselves.
    /// </summary>
    private static void MapEvents(this WebApplication app)
    {
        var sse = app.Services.GetRequiredService<SseEndpoint>();
        var pages = app.Services.GetRequiredService<PageEndpoint>();
        app.MapGet("/streams/{stream}/events", Task (HttpContext context, string stream) => EventsRequest.FormOf(context.Request) switch
        {
            EventsForm.Sse => EventsRequest.TryReadSse(context.Request, stream, out var live) is { } fault
                ? fault.ExecuteAsync(context)
                : sse.AnswerAsync(context, live!),
            EventsForm.Page => EventsRequest.TryReadPage(context.Request, stream, out var page) is { } fault
                ? fault.ExecuteAsync(context)
                : pages.ServeAsync(context, page!),
            _ => Problems.NotAcceptable().ExecuteAsync(context),
        }).RequireSubscribe().WithMetadata(new SkipStatusCodePagesAttribute());
        app.MapGet("/events", (Delegate)(Task (HttpContext context) => AnswerManyAsync(context, sse))).WithMetadata(new SkipStatusCodePagesAttribute());
    }

    private static Task AnswerManyAsync(HttpContext context, SseEndpoint sse)
    {
        if (!EventsRequest.AcceptsSse(context.Request))
        {
            return Problems.NotAcceptable("Events of several streams come as text/event-stream.").ExecuteAsync(context);
        }

        if (MultiStreamRequest.TryRead(context.Request, out var request) is { } fault)
        {
            return fault.ExecuteAsync(context);
        }

        var access = context.GetStreamAccess();
        return request!.Subscriptions.FirstOrDefault(subscription => !access.CanSubscribe(subscription.Stream)) is { } refused
            ? AccessRefusal.Forbidden(refused.Stream, "subscribe").ToResult().ExecuteAsync(context)
            : sse.AnswerAsync(context, request);
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
